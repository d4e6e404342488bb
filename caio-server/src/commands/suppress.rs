//! `caio suppress`: who must not be written to.

use caio_core::suppression::{Scope, ScopeError, read_list};
use caio_dispatch::suppress::{self, Suppress};
use caio_state::{Access, StateStore};
use serde_json::json;

use crate::args::SuppressCommand;
use crate::exit::{Exit, Failure, Result};
use crate::wiring::{Context, read};

pub(super) async fn run(context: &Context, command: SuppressCommand) -> Result<Exit> {
    let printer = &context.printer;
    match command {
        SuppressCommand::Add {
            who,
            company,
            reason,
        } => {
            let scope = if company {
                Scope::company(&who)
            } else {
                Scope::parse(&who)
            };
            let scope = scope.map_err(|error| {
                Failure::new(ScopeError::CODE, error.to_string()).exit(Exit::Usage)
            })?;
            let store = context.open(Access::ReadWrite)?;
            let suppress = deciding(context, &*store)?;
            let added = suppress.add(&scope, &reason, "command line", None).await?;
            if printer.is_json() {
                printer.json(&json!({ "added": added, "entry": scope }));
            } else {
                let word = if added {
                    "suppressed"
                } else {
                    "was suppressed already"
                };
                printer.line(&format!("{} {word}", scope.value()));
            }
            Ok(Exit::Done)
        }
        SuppressCommand::Import { file, reason } => {
            let text = read(&file)?;
            let store = context.open(Access::ReadWrite)?;
            let suppress = deciding(context, &*store)?;
            let source = file.display().to_string();
            let (mut added, mut known, mut refused) = (0, 0, 0);
            for listed in read_list(&text) {
                match listed.scope {
                    Ok(scope) => {
                        let reason = listed.reason.as_deref().unwrap_or(&reason);
                        let origin = listed.source.as_deref().unwrap_or(&source);
                        let new = suppress
                            .add(&scope, reason, origin, listed.at.as_deref())
                            .await?;
                        *(if new { &mut added } else { &mut known }) += 1;
                    }
                    Err(error) => {
                        refused += 1;
                        printer.warn(&format!("{source}:{}: {error}", listed.line));
                    }
                }
            }
            if printer.is_json() {
                printer.json(&json!({ "added": added, "known": known, "refused": refused }));
            } else {
                printer.line(&format!(
                    "{added} added, {known} known already, {refused} refused"
                ));
            }
            Ok(if refused == 0 {
                Exit::Done
            } else {
                Exit::Refusals
            })
        }
        SuppressCommand::Remove { who, reason } => {
            let scope = Scope::parse(&who).map_err(|error| {
                Failure::new(ScopeError::CODE, error.to_string()).exit(Exit::Usage)
            })?;
            let store = context.open(Access::ReadWrite)?;
            let suppress = deciding(context, &*store)?;
            let entry = suppress.remove(&scope, &reason).await?;
            if printer.is_json() {
                printer.json(&json!({ "removed": entry }));
            } else {
                printer.line(&format!(
                    "{} is not in the list any more; it was, since {}: {}",
                    scope.value(),
                    entry.at,
                    entry.reason
                ));
            }
            Ok(Exit::Done)
        }
        SuppressCommand::List => {
            let store = context.open(Access::ReadOnly)?;
            let entries = suppress::list(&*store).await?;
            if printer.is_json() {
                printer.json(&json!({ "suppressed": entries }));
                return Ok(Exit::Done);
            }
            let rows = entries.into_iter().map(|entry| {
                vec![
                    entry.scope.value().to_owned(),
                    entry.reason,
                    entry.source,
                    entry.at,
                    entry.by,
                ]
            });
            printer.table(&["who", "why", "source", "since", "by"], rows);
            Ok(Exit::Done)
        }
        SuppressCommand::Export => {
            let store = context.open(Access::ReadOnly)?;
            for entry in suppress::list(&*store).await? {
                let line = serde_json::to_string(&entry);
                printer
                    .line(&line.map_err(|error| Failure::new("record.encode", error.to_string()))?);
            }
            Ok(Exit::Done)
        }
    }
}

/// The list, for whoever decides here.
fn deciding<'a>(context: &'a Context, store: &'a dyn StateStore) -> Result<Suppress<'a>> {
    Ok(Suppress {
        store,
        clock: &*context.clock,
        ids: &*context.ids,
        by: context.by()?,
    })
}
