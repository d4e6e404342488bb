//! A run that the service was asked for: the steps of the command, answered as values.

use std::collections::BTreeMap;
use std::sync::Arc;

use caio_core::batch::Batch;
use caio_core::safety::verdict;
use caio_core::terms::{Mode, Motion, Provider};
use caio_dispatch::operator::RunReport;
use caio_dispatch::shadow;
use caio_state::StateStore;
use jiff::SignedDuration;

use super::Context;
use super::executing::{carry_out, operator};
use super::preview::{chosen, preview};
use super::verdict::{channel_state, inputs};
use crate::args::DispatchArgs;
use crate::exit::Result;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Programme.
    pub(crate) motion: Motion,
    /// This batch; else the newest approved one of the motion.
    pub(crate) batch: Option<String>,
    /// Really send.
    pub(crate) live: bool,
    /// A person has asked for what goes out at once.
    pub(crate) send_now: bool,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Came {
    /// Nothing was sent and nothing was written.
    Shown {
        /// The batch that would go.
        batch: Option<Box<Batch>>,
        /// How many messages would go, by provider.
        going: BTreeMap<Provider, u32>,
        /// What stands against it, and messages that would be left out.
        against: Vec<String>,
    },
    /// It ran.
    Ran(RunReport),
}

/// Runs an approved batch, or shows what would go.
pub(crate) async fn asked(
    context: &Context,
    store: Arc<dyn StateStore>,
    asked: &Asked,
) -> Result<Came> {
    let args = DispatchArgs {
        motion: asked.motion,
        batch: asked.batch.clone(),
        tier: None,
        limit: None,
        live: asked.live,
        shadow: false,
        send_now: asked.send_now,
    };
    let batch = chosen(&*store, args.batch.as_deref(), args.motion).await?;
    let policy = context.policy(&*store).await?;
    let mode = if args.live { Mode::Live } else { Mode::DryRun };
    let channels = context.channels(Some(policy.limits.email_per_day))?;
    let known = batch.as_ref();
    let mut inputs = inputs(context, &*store, known, args.motion, &policy, mode).await?;
    if let Some(batch) = known {
        inputs.channel = channel_state(batch, &channels, args.send_now);
    }
    let verdict = verdict(&inputs);
    if let Some(batch) = known.filter(|_| args.live && verdict.may_send()) {
        let channels = shadow::kept(&store, &context.ids, &batch.id, channels).await?;
        let mut operator = operator(context, store, &policy, inputs, channels)?;
        // Whoever asked over HTTP is answered in time.
        operator.patience = SignedDuration::ZERO;
        let carried_out = carry_out(context, &operator, &batch.id, args.motion);
        let (report, _) = carried_out.await?;
        return Ok(Came::Ran(report));
    }
    let mut against: Vec<String> = verdict
        .blocks()
        .map(|(layer, block)| format!("layer {} ({layer}): {}", layer.number(), block.reason))
        .collect();
    let mut going = BTreeMap::new();
    if let Some(batch) = known {
        let preview = preview(context, &*store, batch, &args, &policy).await?;
        for outgoing in &preview.going {
            *going.entry(outgoing.item.provider).or_default() += 1;
        }
        let left = preview.left.iter();
        against.extend(left.map(|it| format!("{} to {}: {}", it.draft, it.recipient, it.reason)));
    }
    Ok(Came::Shown {
        batch: batch.map(Box::new),
        going,
        against,
    })
}
