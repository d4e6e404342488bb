//! `caio ledger`: what became of each delivery, and those of which nobody knows.

use caio_core::batch::BatchStatus;
use caio_core::record::check_address;
use caio_dispatch::channel::Outcome;
use caio_dispatch::{batches, ledger};
use caio_state::Access;
use serde_json::json;

use super::dispatch::live::print;
use crate::args::{LedgerCommand, Resolution};
use crate::exit::{Exit, Failure, Result};
use crate::wiring::Context;
use crate::wiring::executing::asking;

pub(super) async fn run(context: &Context, command: LedgerCommand) -> Result<Exit> {
    match command {
        LedgerCommand::Reconcile => reconcile(context).await,
        LedgerCommand::Resolve {
            delivery,
            outcome,
            reason,
        } => resolve(context, &delivery, outcome, &reason).await,
        LedgerCommand::Show { of } => show(context, &of).await,
    }
}

/// Every delivery of a batch, or to a person.
async fn show(context: &Context, of: &str) -> Result<Exit> {
    let store = context.open(Access::ReadOnly)?;
    let entries = if of.contains('@') {
        let person = check_address(of);
        let person = person
            .map_err(|refusal| Failure::new("lead.email", refusal.to_string()).exit(Exit::Usage))?;
        ledger::of_person(&*store, &person).await?
    } else {
        batches::one(&*store, of).await?;
        ledger::of_batch(&*store, of).await?
    };
    if context.printer.is_json() {
        context.printer.json(&json!({ "entries": entries }));
        return Ok(Exit::Done);
    }
    let rows = entries.into_iter().map(|entry| {
        let word = entry.word().to_owned();
        vec![
            entry.id,
            word,
            entry.item.recipient.to_string(),
            entry.item.provider.to_string(),
            entry.intended_at,
            entry.receipt.unwrap_or(entry.reason),
        ]
    });
    let headers = ["delivery", "state", "to", "by", "when", "detail"];
    context.printer.table(&headers, rows);
    Ok(Exit::Done)
}

/// Asks the providers about everything that is unknown; exit code 3 while something stays so.
async fn reconcile(context: &Context) -> Result<Exit> {
    let operator = asking(context, context.open(Access::ReadWrite)?).await?;
    let unknown = batches::list(&*operator.store, BatchStatus::Unknown).await?;
    if unknown.is_empty() {
        context.printer.note("nothing is unknown");
    }
    let mut exit = Exit::Done;
    for batch in unknown {
        let report = operator.reconcile(&batch.id).await?;
        print(context, &report);
        if report.status == BatchStatus::Unknown {
            exit = Exit::Refusals;
        }
    }
    Ok(exit)
}

/// Records what a person has found out.
async fn resolve(
    context: &Context,
    delivery: &str,
    outcome: Resolution,
    reason: &str,
) -> Result<Exit> {
    let said = format!("{reason} (said by {})", context.by()?);
    let outcome = match outcome {
        Resolution::Accepted => Outcome::Accepted { receipt: said },
        Resolution::NotSent => Outcome::NotSent { reason: said },
    };
    let operator = asking(context, context.open(Access::ReadWrite)?).await?;
    let report = operator.resolve(delivery, &outcome).await?;
    print(context, &report);
    Ok(Exit::Done)
}
