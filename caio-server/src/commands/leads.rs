//! `caio leads`: everything known about one person.

use caio_core::record::check_address;
use caio_core::terms::{Medium, Step};
use caio_dispatch::facts::{Touch, facts};
use caio_dispatch::{history, leads, ledger};
use caio_state::Access;
use serde_json::json;

use crate::args::LeadsCommand;
use crate::exit::{Exit, Failure, Result};
use crate::wiring::Context;

pub(super) async fn run(context: &Context, command: LeadsCommand) -> Result<Exit> {
    let LeadsCommand::Show { email } = command;
    let key = check_address(&email)
        .map_err(|refusal| Failure::new("lead.email", refusal.to_string()).exit(Exit::Usage))?;
    let store = context.open(Access::ReadOnly)?;
    let lead = leads::one(&*store, &key).await?;
    let events = history::newest(&*store, Some(&key), 50).await?;
    let deliveries = ledger::of_person(&*store, &key).await?;
    let touch = Touch {
        person: &key,
        medium: Medium::Email,
        step: Step::FIRST,
    };
    let facts = facts(&*store, &[touch])
        .await?
        .into_iter()
        .next()
        .unwrap_or_default();
    if lead.is_none() && events.is_empty() && facts.suppressed.is_none() {
        return Err(Failure::new(
            "lead.not_found",
            format!("nothing is known about {key}"),
        ));
    }
    if context.printer.is_json() {
        context.printer.json(&json!({
            "lead": lead, "suppressed": facts.suppressed, "touched": facts.touched,
            "deliveries": deliveries, "history": events,
        }));
        return Ok(Exit::Done);
    }
    let printer = &context.printer;
    if let Some(record) = lead {
        let lead = &record.lead;
        printer.line(&format!(
            "{} <{}>, {}, {}",
            lead.name(),
            lead.email,
            lead.title,
            lead.company.name
        ));
        let tier = record
            .tier
            .map_or("no tier".to_owned(), |tier| tier.to_string());
        printer.line(&format!(
            "{tier}, score {}, model {}",
            record.score, record.model.name
        ));
        for line in record.reasons.iter().chain(&record.remarks) {
            printer.line(&format!("  {line}"));
        }
        printer.line(&format!("outcome: {} {}", record.outcome, record.detail));
        if let Some(draft) = &record.draft {
            printer.line(&format!("draft: {draft}"));
        }
    }
    if let Some(why) = facts.suppressed {
        printer.line(&format!("suppressed: {why}"));
    }
    for entry in deliveries {
        let name = &entry.container.name;
        printer.line(&format!(
            "{}  {:?} by {name} {}",
            entry.intended_at, entry.state, entry.reason
        ));
    }
    for event in events {
        printer.line(&format!(
            "{}  {}  {} {}",
            event.at, event.by, event.kind, event.detail
        ));
    }
    Ok(Exit::Done)
}
