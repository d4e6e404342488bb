//! Records against indexes, the end of a move, and who sends.

use caio_core::terms::Motion;
use caio_dispatch::coexist::authority::{self, Authority, System};
use caio_dispatch::history::Event;
use caio_dispatch::reindex::{Drift, Reindex};
use caio_dispatch::tidy::Tidy;
use caio_state::{Access, dual};
use serde_json::json;

use super::access;
use crate::args::SystemArg;
use crate::exit::{Exit, Failure, Result};
use crate::wiring::Context;

/// Reads everything; exit code 3 when records and indexes differ.
pub(super) async fn verify(context: &Context) -> Result<Exit> {
    let drift = look(context, true).await?;
    Ok(if drift.is_none() {
        Exit::Done
    } else {
        Exit::Refusals
    })
}

/// Makes the indexes anew where they differ; exit code 3 when a record cannot be read.
pub(super) async fn reindex(context: &Context, dry_run: bool) -> Result<Exit> {
    let drift = look(context, dry_run).await?;
    Ok(if drift.unreadable.is_empty() {
        Exit::Done
    } else {
        Exit::Refusals
    })
}

async fn look(context: &Context, dry_run: bool) -> Result<Drift> {
    let store = context.open(access(dry_run))?;
    store.ping().await?;
    let reindex = Reindex {
        store: &*store,
        ids: &*context.ids,
        dry_run,
    };
    let drift = reindex.run().await?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&drift);
        return Ok(drift);
    }
    let holds = drift.holds;
    printer.line(&format!(
        "{} documents, {} counters, {} places in indexes, digest {:032x}",
        holds.documents, holds.counters, holds.places, holds.digest
    ));
    for one in &drift.unreadable {
        printer.line(&format!("cannot be read: {}: {}", one.key, one.reason));
    }
    let (missing, stale) = (drift.missing, drift.stale);
    printer.line(&match (missing + stale, dry_run) {
        (0, _) => "indexes and records say the same".to_owned(),
        (_, true) => format!(
            "{missing} places are missing and {stale} are stale; `caio state reindex` puts that right"
        ),
        (_, false) => format!("{missing} places made, {stale} removed"),
    });
    Ok(drift)
}

/// Puts away what is long over.
pub(super) async fn tidy(context: &Context, dry_run: bool) -> Result<Exit> {
    let store = context.open(access(dry_run))?;
    let tidy = Tidy {
        store: &*store,
        clock: &*context.clock,
        ids: &*context.ids,
        dry_run,
    };
    let tidied = tidy.run().await?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&tidied);
        return Ok(Exit::Done);
    }
    let word = if dry_run { "would be" } else { "were" };
    printer.line(&format!(
        "{} batches and {} of the Python system {word} put under caio:archive:, {} of its daily \
         records and {} events of webhooks {word} removed",
        tidied.batches, tidied.python_batches, tidied.days, tidied.webhooks
    ));
    Ok(Exit::Done)
}

/// Ends the time of two stores.
pub(super) async fn cut_over(context: &Context, yes: bool) -> Result<Exit> {
    let by = context.by()?;
    let store = context.open(Access::ReadWrite)?;
    store.ping().await?;
    let question = "The legacy store is never asked again. Go on?";
    if !yes && context.printer.confirm(question) != Some(true) {
        return Err(Failure::new("state.cutover", "nothing was changed")
            .hint("`--yes` says it without a question")
            .exit(Exit::Usage));
    }
    let mark = dual::cut_over(&*store, &*context.ids, by).await?;
    let id = context.ids.id();
    let event = Event::new(&id, context.clock.now(), by, "state.cut_over", "state");
    caio_state::stop::commit(&*store, &*context.ids, event.writes()?).await?;
    if context.printer.is_json() {
        context.printer.json(&mark);
    } else {
        let dual::Migrated { migrated_at, by } = &mark;
        let line = format!("migrated at {migrated_at}, said by {by}");
        context.printer.line(&line);
    }
    Ok(Exit::Done)
}

/// Says, or shows, who sends for a motion.
pub(super) async fn authority(
    context: &Context,
    motion: Motion,
    system: Option<SystemArg>,
) -> Result<Exit> {
    let found = match system {
        None => {
            let store = context.open(Access::ReadOnly)?;
            let found = authority::read(&*store, motion).await?;
            found.map(|(authority, _)| authority)
        }
        Some(system) => {
            let by = context.by()?;
            let system = match system {
                SystemArg::Caio => System::Caio,
                SystemArg::Python => System::Python,
            };
            let store = context.open(Access::ReadWrite)?;
            let tools = (&*context.clock, &*context.ids);
            Some(authority::give(&*store, tools, by, motion, system).await?)
        }
    };
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&json!({ "motion": motion, "authority": found }));
        return Ok(Exit::Done);
    }
    printer.line(&match found {
        Some(Authority { system, by, at }) => {
            format!("{system} sends for {motion}, said by {by} at {at}")
        }
        None => format!("nobody has said who sends for {motion}"),
    });
    Ok(Exit::Done)
}
