//! `caio campaigns`: what waits at the providers, and starting and pausing it.

use caio_core::terms::Provider;
use caio_dispatch::campaigns::{self, Listed, Started};
use caio_state::Access;
use serde_json::json;

use crate::args::{CampaignsCommand, WhichCampaign};
use crate::exit::{Exit, Result};
use crate::wiring::Context;
use crate::wiring::desk::{desk, provider};

pub(super) async fn run(context: &Context, command: CampaignsCommand) -> Result<Exit> {
    match command {
        CampaignsCommand::List => list(context).await,
        CampaignsCommand::Activate(which) => activate(context, &which).await,
        CampaignsCommand::Pause(which) => pause(context, &which).await,
    }
}

async fn list(context: &Context) -> Result<Exit> {
    let store = context.open(Access::ReadOnly)?;
    let providers = context.campaigns()?;
    if providers.is_empty() {
        context
            .printer
            .note("no provider with campaigns has an API key");
    }
    let listed = campaigns::list(&*store, &providers).await?;
    if context.printer.is_json() {
        context.printer.json(&json!({ "campaigns": listed }));
        return Ok(Exit::Done);
    }
    let rows = listed.into_iter().map(row);
    let headers = ["provider", "id", "name", "is", "of ours"];
    context.printer.table(&headers, rows);
    Ok(Exit::Done)
}

fn row(listed: Listed) -> Vec<String> {
    let ledger: Vec<String> = listed
        .ledger
        .iter()
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    let (id, status) = match (listed.campaign, listed.provider) {
        (Some(campaign), _) => {
            let problem = campaign.problem.map(|it| format!("; {it}"));
            (campaign.id, campaign.status + &problem.unwrap_or_default())
        }
        (None, Provider::HeyReach) => (String::new(), "a list, no campaign".to_owned()),
        (None, _) => (String::new(), "not there".to_owned()),
    };
    let provider = listed.provider.to_string();
    vec![provider, id, listed.name, status, ledger.join(", ")]
}

async fn activate(context: &Context, which: &WhichCampaign) -> Result<Exit> {
    let by = context.by()?.to_owned();
    let provider = provider(context, which.provider)?;
    let store = context.open(Access::ReadWrite)?;
    let desk = desk(context, store, by).await?;
    let started = desk.start(&*provider, &which.campaign).await?;
    let exit = if started.taken_out.is_empty() {
        Exit::Done
    } else {
        Exit::Refusals
    };
    render(context, &started);
    Ok(exit)
}

fn render(context: &Context, started: &Started) {
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&json!({ "started": started }));
        return;
    }
    for out in &started.taken_out {
        printer.line(&format!("taken out: {}: {}", out.recipient, out.reason));
    }
    let (campaign, people) = (&started.campaign, started.people);
    printer.line(&format!(
        "campaign {} is {}: it writes to {people} people",
        campaign.name, campaign.status
    ));
}

/// Pausing is never refused for a safety layer, nor for want of a name.
async fn pause(context: &Context, which: &WhichCampaign) -> Result<Exit> {
    let by = context.by().unwrap_or("unknown").to_owned();
    let provider = provider(context, which.provider)?;
    let store = context.open(Access::ReadWrite)?;
    let desk = desk(context, store, by).await?;
    let campaign = desk.pause(&*provider, &which.campaign).await?;
    if context.printer.is_json() {
        context.printer.json(&json!({ "paused": campaign }));
    } else {
        let (name, status) = (&campaign.name, &campaign.status);
        context
            .printer
            .line(&format!("campaign {name} is {status}"));
    }
    Ok(Exit::Done)
}
