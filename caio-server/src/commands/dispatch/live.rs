//! `caio dispatch --live`: the operator over the real channels.

use std::collections::BTreeMap;

use caio_core::batch::BatchStatus;
use caio_core::safety::Inputs;
use caio_core::terms::Provider;
use caio_dispatch::operator::{ItemReport, RunReport};
use caio_dispatch::policy::Policy;
use caio_dispatch::shadow;
use caio_state::Access;
use serde_json::json;

use super::super::cadence::say;
use crate::args::DispatchArgs;
use crate::exit::{Exit, Result};
use crate::wiring::executing::{carry_out, operator};
use crate::wiring::{Channels, Context};

/// Executes an approved batch whose verdict allows it.
pub(super) async fn run(
    context: &Context,
    args: &DispatchArgs,
    policy: &Policy,
    inputs: Inputs,
    channels: Channels,
    batch: &str,
) -> Result<Exit> {
    let store = context.open(Access::ReadWrite)?;
    let channels = shadow::kept(&store, &context.ids, batch, channels).await?;
    let mut operator = operator(context, store, policy, inputs, channels)?;
    operator.tiers.extend(args.tier);
    operator.run_limit = args.limit;
    let ended = match carry_out(context, &operator, batch, args.motion).await {
        Ok((report, synced)) => {
            say(context, &synced);
            Ok(print(context, &report))
        }
        Err(failure) => Err(failure),
    };
    context.deliver_alerts(&*operator.store).await;
    ended
}

/// The state in a word for people: what a provider took waits there as a draft, but for one.
fn word(item: &ItemReport) -> &'static str {
    match (item.state, item.provider) {
        ("accepted", Provider::Ghl) => "sent",
        ("accepted", _) => "drafted",
        (other, _) => other,
    }
}

/// Says what became of each item.
pub(crate) fn print(context: &Context, report: &RunReport) -> Exit {
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&json!({ "run": report, "written": true }));
    } else {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for item in &report.items {
            let word = word(item);
            *counts.entry(word).or_default() += 1;
            printer.line(&format!("{word:9} {}  {}", item.recipient, item.detail));
        }
        if let Some(why) = &report.stopped {
            printer.line(&format!("ended early: {why}"));
        }
        let counts: Vec<String> = counts
            .iter()
            .map(|(state, n)| format!("{n} {state}"))
            .collect();
        printer.line(&format!(
            "batch {} is {}: {}",
            report.batch,
            report.status,
            counts.join(", ")
        ));
    }
    if report.status == BatchStatus::Executed && report.stopped.is_none() {
        Exit::Done
    } else {
        Exit::Refusals
    }
}
