//! `caio revival`: people who went quiet long ago.

use caio_core::config::Production;
use caio_core::revival::Contact;
use caio_dispatch::revival::{Revivals, Scan, contacts};
use caio_state::{Access, StateStore};
use serde_json::json;

use crate::args::{RevivalCommand, RevivalScan};
use crate::exit::{Exit, Result};
use crate::wiring::{Context, read};

pub(super) async fn run(context: &Context, command: RevivalCommand) -> Result<Exit> {
    let production = context.production()?.map(|loaded| loaded.production);
    let production: Production = production.unwrap_or_default();
    let revivals = |store| {
        Ok::<_, crate::exit::Failure>(Revivals {
            store,
            clock: &*context.clock,
            ids: &*context.ids,
            by: context.by()?,
            rules: &production.revival,
        })
    };
    match command {
        RevivalCommand::Draft { scan } => {
            let (contacts, bad) = given(&scan)?;
            let store = context.open(Access::ReadWrite)?;
            let store: &dyn StateStore = &*store;
            let writer = context.writer()?;
            let mut revived = revivals(store)?
                .draft(&contacts, scan.limit, &writer)
                .await?;
            revived.scan.problems.extend(bad);
            let printer = &context.printer;
            say(context, &revived.scan);
            for (email, why) in &revived.unwritten {
                printer.warn(&format!("{email}: {why}"));
            }
            if printer.is_json() {
                printer.json(&json!(revived));
            } else {
                printer.line(&format!("{} revivals written", revived.drafts.len()));
            }
            if !revived.drafts.is_empty() {
                printer.note("next: caio drafts list, then approve them");
            }
            Ok(
                if revived.unwritten.is_empty() && revived.scan.problems.is_empty() {
                    Exit::Done
                } else {
                    Exit::Refusals
                },
            )
        }
        RevivalCommand::Scan { scan } => {
            let (contacts, bad) = given(&scan)?;
            let store = context.open(Access::ReadOnly)?;
            let store: &dyn StateStore = &*store;
            let mut found = revivals(store)?.scan(&contacts, scan.limit).await?;
            found.problems.extend(bad);
            say(context, &found);
            let printer = &context.printer;
            let exit = if found.problems.is_empty() {
                Exit::Done
            } else {
                Exit::Refusals
            };
            if printer.is_json() {
                printer.json(&json!(found));
                return Ok(exit);
            }
            let rows = found.candidates.into_iter().map(|it| {
                vec![
                    it.email,
                    format!("{:.3}", it.revival_score),
                    json!(it.revival_reason)
                        .as_str()
                        .unwrap_or("")
                        .replace('_', " "),
                    it.days_inactive.to_string(),
                    it.pipeline_stage,
                    it.company,
                ]
            });
            printer.table(&["who", "score", "why", "days", "stage", "company"], rows);
            Ok(exit)
        }
    }
}

/// Contacts of the file, and those that cannot be used.
fn given(scan: &RevivalScan) -> Result<(Vec<Contact>, Vec<String>)> {
    match &scan.contacts {
        Some(path) => Ok(contacts(&read(path)?)?),
        None => Ok((Vec::new(), Vec::new())),
    }
}

fn say(context: &Context, scan: &Scan) {
    let printer = &context.printer;
    for problem in &scan.problems {
        printer.warn(problem);
    }
    for (why, count) in &scan.excluded {
        printer.note(&format!("left out: {count} {}", why.replace('_', " ")));
    }
}
