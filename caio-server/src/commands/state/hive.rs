//! From the folder of the Python system into the store.

use std::path::Path;

use caio_dispatch::hive::Hive;
use caio_dispatch::migrate::{Migrate, Report};
use serde_json::{Value, json};

use super::access;
use crate::exit::{Exit, Failure, Result};
use crate::wiring::Context;

/// One look into the folder.
pub(super) struct Look<'a> {
    pub(super) folder: &'a str,
    pub(super) dry_run: bool,
    pub(super) follow: bool,
}

impl Look<'_> {
    pub(super) async fn once(&self, context: &Context) -> Result<Exit> {
        let folder = self.folder;
        let hive = Hive::read(Path::new(folder))
            .map_err(|error| Failure::new("hive.read", format!("{folder}: {error}")))?;
        let by = context.by()?;
        let store = context.open(access(self.dry_run))?;
        store.ping().await?;
        let migrate = Migrate {
            store: &*store,
            clock: &*context.clock,
            ids: &*context.ids,
            by,
            dry_run: self.dry_run,
        };
        let report = if self.follow {
            migrate.follow(hive).await?
        } else {
            migrate.run(hive).await?
        };
        let printer = &context.printer;
        if printer.is_json() {
            printer.json(&document(
                &report,
                folder,
                &store.to_string(),
                self.dry_run,
            )?);
        } else {
            print(context, &report, self.dry_run);
        }
        Ok(if report.is_clean() {
            Exit::Done
        } else {
            Exit::Refusals
        })
    }
}

/// The keys of the old script's summary, and ours beside them.
fn document(report: &Report, folder: &str, store: &str, dry_run: bool) -> Result<Value> {
    let mut document = serde_json::to_value(report).map_err(|error| {
        Failure::new(
            "record.encode",
            format!("the report cannot be written: {error}"),
        )
    })?;
    let carried = |kind: &str| {
        let tally = report.kinds.get(kind).copied().unwrap_or_default();
        tally.created + tally.united + tally.present
    };
    let errors: Vec<String> = report
        .faults
        .iter()
        .map(|fault| format!("{}: {}", fault.file, fault.reason))
        .chain(
            report
                .conflicts
                .iter()
                .map(|it| format!("{}: two values", it.key)),
        )
        .collect();
    let old = json!({
        "hive_dir": folder,
        "backend": store,
        "redis_available": store.starts_with("redis"),
        "dry_run": dry_run,
        "operator_state_migrated": carried("daily_state") > 0,
        "batches_migrated": carried("batches"),
        "cadence_states_migrated": carried("cadence"),
        "errors": errors,
        "ok": report.is_clean(),
    });
    if let (Value::Object(document), Value::Object(old)) = (&mut document, old) {
        document.extend(old);
    }
    Ok(document)
}

fn print(context: &Context, report: &Report, dry_run: bool) {
    let printer = &context.printer;
    let created = if dry_run { "would create" } else { "created" };
    let rows = report.kinds.iter().map(|(kind, tally)| {
        let numbers = [
            tally.found,
            tally.created,
            tally.united,
            tally.present,
            tally.conflicts,
        ];
        let words = numbers.iter().map(ToString::to_string);
        std::iter::once(kind.replace('_', " "))
            .chain(words)
            .collect()
    });
    printer.table(
        &[
            "kind",
            "found",
            created,
            "united",
            "there already",
            "conflicts",
        ],
        rows,
    );
    for conflict in &report.conflicts {
        printer.line(&format!("conflict: {} ({})", conflict.key, conflict.origin));
        printer.line(&format!("  store:  {}", conflict.store));
        printer.line(&format!("  folder: {}", conflict.offered));
    }
    for fault in &report.faults {
        let line = fault
            .line
            .map_or(String::new(), |line| format!(", line {line}"));
        printer.line(&format!(
            "cannot be read: {}{line}: {}",
            fault.file, fault.reason
        ));
    }
    for held in &report.held {
        printer.line(&format!("look at it: {}: {}", held.what, held.why));
    }
    for (kind, count) in &report.left {
        printer.line(&format!("stays in the folder: {count} in {kind}"));
    }
    printer.note(&format!(
        "{} records read back and compared",
        report.verified
    ));
}
