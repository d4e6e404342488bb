//! `caio campaigns`: what waits at the providers, and starting and pausing it.

use std::sync::Arc;

use caio_core::terms::{Mode, Motion, Provider};
use caio_dispatch::campaigns::{self, Campaigns, Desk, Listed, Started};
use caio_dispatch::operator::Gate;
use caio_state::{Access, StateStore};
use serde_json::json;

use super::dispatch;
use crate::args::{CampaignsCommand, WhichCampaign};
use crate::exit::{Exit, Failure, Result};
use crate::wiring::Context;

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

pub(crate) fn provider(context: &Context, wanted: Provider) -> Result<Arc<dyn Campaigns>> {
    let all = context.campaigns()?;
    let found = all.into_iter().find(|it| it.provider() == wanted);
    found.ok_or_else(|| {
        let message = format!("{wanted} has no campaigns here: its API key is missing");
        Failure::new("campaign.provider", message)
            .hint("set INSTANTLY_API_KEY or HEYREACH_API_KEY; ghl sends at once and has none")
            .exit(Exit::Usage)
    })
}

pub(crate) async fn desk(
    context: &Context,
    store: Arc<dyn StateStore>,
    by: String,
) -> Result<Desk> {
    let policy = context.policy(&*store).await?;
    let motion = Motion::Outbound;
    let inputs = dispatch::inputs(context, &*store, None, motion, &policy, Mode::Live).await?;
    let keys = context.seal_keys(false)?.ok_or_else(|| {
        Failure::new("seal.key", "there is no key to verify the seal with").exit(Exit::Blocked)
    })?;
    Ok(Desk {
        store,
        clock: Arc::clone(&context.clock),
        ids: Arc::clone(&context.ids),
        keys,
        gate: Gate {
            inputs,
            brake: Arc::new(context.brake()),
        },
        coexist: context.coexist()?,
        by,
    })
}
