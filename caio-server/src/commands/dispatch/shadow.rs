//! `caio dispatch --shadow`: the operator over a layer of its own, and channels that call nobody.

use std::collections::BTreeMap;
use std::sync::Arc;

use caio_core::batch::{Batch, BatchStatus};
use caio_core::safety::Inputs;
use caio_dispatch::policy::Policy;
use caio_dispatch::shadow;
use caio_state::{Access, OverlayStore, StateStore};
use serde_json::json;

use crate::args::DispatchArgs;
use crate::exit::{Exit, Failure, Result};
use crate::wiring::executing::operator;
use crate::wiring::{Channels, Context};

/// Runs an approved batch in shadow and keeps what it would have sent.
pub(super) async fn run(
    context: &Context,
    args: &DispatchArgs,
    policy: &Policy,
    inputs: Inputs,
    channels: Channels,
    batch: &Batch,
    store: Arc<dyn StateStore>,
) -> Result<Exit> {
    if batch.status != BatchStatus::Approved {
        let message = format!("batch `{}` is {}, not approved", batch.id, batch.status);
        return Err(Failure::new("shadow.batch", message).exit(Exit::Blocked));
    }
    let layer = OverlayStore::new(store, Arc::clone(&context.clock));
    let layer = Arc::new(layer);
    let over: Arc<dyn StateStore> = layer.clone();
    let mut operator = operator(context, over, policy, inputs, channels)?;
    operator.tiers.extend(args.tier);
    operator.run_limit = args.limit;
    let by = operator.holder.clone();
    let (report, handed) = operator.shadow(layer, &batch.id, args.motion).await?;
    let store = context.open(Access::ReadWrite)?;
    let tools = (&*context.clock as _, &*context.ids as _);
    let run = shadow::keep(&*store, tools, &by, &report, &handed).await?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&json!({ "shadow": run, "handed_over": handed, "sent": false }));
    } else {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for item in &run.items {
            let state = match item.state.as_str() {
                "accepted" => "would go",
                other => other,
            };
            *counts.entry(state).or_default() += 1;
            printer.line(&format!("{state:9} {}  {}", item.recipient, item.detail));
        }
        if let Some(why) = &run.stopped {
            printer.line(&format!("ended early: {why}"));
        }
        let counts: Vec<String> = counts
            .iter()
            .map(|(state, n)| format!("{n} {state}"))
            .collect();
        printer.line(&format!(
            "batch {} in shadow: {}; {} calls, kept until {}",
            run.batch,
            counts.join(", "),
            run.calls,
            run.until
        ));
        printer.note(&format!(
            "nothing was sent; caio shadow show {} prints every request",
            run.batch
        ));
    }
    let all_go = run.stopped.is_none() && run.items.iter().all(|it| it.state == "accepted");
    Ok(if all_go { Exit::Done } else { Exit::Refusals })
}
