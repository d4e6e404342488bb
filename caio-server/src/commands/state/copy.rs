//! From another store into this one, and whether it is all here.

use caio_state::Access;
use caio_state::copy::{self, Copy, Report};
use serde_json::json;

use super::access;
use crate::exit::{Exit, Result};
use crate::wiring::Context;

/// Copies all of `from`; exit code 3 when something differs.
pub(super) async fn migrate(context: &Context, from: &str, dry_run: bool) -> Result<Exit> {
    let source = context.open_other(from)?;
    let store = context.open(access(dry_run))?;
    store.ping().await?;
    let bar = context.printer.progress("records");
    let progress = |taken| bar.set_position(taken);
    let origin = source.to_string();
    let mut copy = Copy::new(&*store, &*context.ids, &origin, dry_run, &progress);
    source.export(&mut copy).await?;
    bar.finish_and_clear();
    Ok(answer(context, &copy.report(), &origin, dry_run))
}

/// Whether all of `from` is here with the same values; exit code 3 when not.
pub(super) async fn verify(context: &Context, from: &str) -> Result<Exit> {
    let source = context.open_other(from)?;
    let store = context.open(Access::ReadOnly)?;
    let origin = source.to_string();
    let mut copy = Copy::new(&*store, &*context.ids, &origin, true, &|_| {});
    source.export(&mut copy).await?;
    let report = copy.report();
    let here = copy::digest(&*store).await?;
    let missing: u64 = report.kinds.values().map(|tally| tally.created).sum();
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&json!({
            "from": origin, "missing": missing, "conflicts": report.conflicts,
            "there": report.offered, "here": here, "same": report.offered == here,
        }));
    } else {
        let row = |name: &str, it: copy::Digest| {
            let numbers = [it.documents, it.counters, it.places];
            let numbers = numbers.iter().map(ToString::to_string);
            let digest = format!("{:032x}", it.digest);
            std::iter::once(name.to_owned())
                .chain(numbers)
                .chain([digest])
                .collect()
        };
        printer.table(
            &["store", "documents", "counters", "places", "digest"],
            [row(&origin, report.offered), row(&store.to_string(), here)],
        );
        conflicts(context, &report);
        printer.line(&match missing {
            0 => "everything is here".to_owned(),
            n => format!("{n} records are not here; `caio state migrate` creates them"),
        });
    }
    Ok(if missing == 0 && report.is_clean() {
        Exit::Done
    } else {
        Exit::Refusals
    })
}

/// Says what a copy did.
pub(super) fn answer(context: &Context, report: &Report, origin: &str, dry_run: bool) -> Exit {
    let printer = &context.printer;
    if printer.is_json() {
        let mut document = json!(report);
        document["from"] = origin.into();
        document["dry_run"] = dry_run.into();
        document["ok"] = report.is_clean().into();
        printer.json(&document);
    } else {
        let created = if dry_run { "would create" } else { "created" };
        let rows = report.kinds.iter().map(|(kind, it)| {
            let numbers = [it.found, it.created, it.present, it.conflicts];
            let numbers = numbers.iter().map(ToString::to_string);
            std::iter::once((*kind).to_owned()).chain(numbers).collect()
        });
        printer.table(
            &["kind", "found", created, "there already", "conflicts"],
            rows,
        );
        conflicts(context, report);
        for (why, count) in &report.left {
            printer.line(&format!("not copied: {count} {why}"));
        }
        printer.note(&format!(
            "{} records read back and compared",
            report.verified
        ));
    }
    if report.is_clean() {
        Exit::Done
    } else {
        Exit::Refusals
    }
}

fn conflicts(context: &Context, report: &Report) {
    for conflict in &report.conflicts {
        let printer = &context.printer;
        printer.line(&format!("conflict: {} ({})", conflict.key, conflict.origin));
        printer.line(&format!("  here:    {}", conflict.store));
        printer.line(&format!("  offered: {}", conflict.offered));
    }
}
