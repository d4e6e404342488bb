//! The operator over the real channels, and a live run from its beginning to its end.

use std::sync::Arc;

use caio_core::batch::{BatchStatus, SealKeys};
use caio_core::safety::Inputs;
use caio_core::terms::{Mode, Motion};
use caio_dispatch::batches;
use caio_dispatch::cadence::Synced;
use caio_dispatch::notify::told_by_run;
use caio_dispatch::operator::{Gate, Operator, Permits, RunReport};
use caio_dispatch::policy::Policy;
use caio_state::StateStore;
use jiff::SignedDuration;

use super::verdict::inputs;
use super::{Channels, Context};
use crate::exit::{Exit, Failure, Result};

/// How long the executor's lease, and the Python system's locks, live without renewal.
const LEASE: SignedDuration = SignedDuration::from_secs(240);

/// How long after its beginning a run may wait for messages that keep a distance.
const PATIENCE: SignedDuration = SignedDuration::from_hours(1);

/// A live run from its beginning to its end, whoever asked for it: what nobody knew is asked for first,
/// then the batch goes, then the follow-up of what was sent begins. People are told once the run is
/// over, whatever came of it; alerts are raised here, and delivered by whoever calls.
pub(crate) async fn carry_out(
    context: &Context,
    operator: &Operator,
    batch: &str,
    motion: Motion,
) -> Result<(RunReport, Synced)> {
    let ran = match unknown(context, operator).await {
        Ok(()) => operator.execute(batch, motion).await.map_err(Failure::from),
        Err(failure) => Err(failure),
    };
    let mut subjects = context.notes.take();
    subjects.extend(ran.iter().flat_map(told_by_run));
    let ended = match ran {
        Ok(report) => {
            let synced = context.follow_ups(&*operator.store)?.sync().await;
            synced.map(|synced| (report, synced)).map_err(Failure::from)
        }
        Err(failure) => Err(failure),
    };
    context.raise(&*operator.store, subjects).await;
    ended
}

/// Asks first what became of deliveries that nobody knew about; a batch that cannot be settled yet
/// keeps none of the others back.
async fn unknown(context: &Context, operator: &Operator) -> Result<()> {
    for batch in batches::list(&*operator.store, BatchStatus::Unknown).await? {
        match operator.reconcile(&batch.id).await {
            Ok(report) => context
                .printer
                .note(&format!("batch {} is {} now", report.batch, report.status)),
            Err(error) => context
                .printer
                .warn(&format!("batch {} stays unknown: {error}", batch.id)),
        }
    }
    Ok(())
}

/// An operator that asks and records, and sends nothing.
pub(crate) async fn asking(context: &Context, store: Arc<dyn StateStore>) -> Result<Operator> {
    let policy = context.policy(&*store).await?;
    let motion = Motion::Outbound;
    let inputs = inputs(context, &*store, None, motion, &policy, Mode::DryRun).await?;
    operator(context, store, &policy, inputs, context.channels(None)?)
}

/// The safety layers, and what stops this process.
pub(super) fn gate(context: &Context, inputs: Inputs) -> Gate {
    Gate {
        inputs,
        brake: Arc::new(context.brake()),
    }
}

/// The operator over these channels, for all tiers that may go now.
pub(crate) fn operator(
    context: &Context,
    store: Arc<dyn StateStore>,
    policy: &Policy,
    inputs: Inputs,
    channels: Channels,
) -> Result<Operator> {
    let keys = verifying(context)?;
    Ok(Operator {
        store,
        channels,
        clock: Arc::clone(&context.clock),
        ids: Arc::clone(&context.ids),
        keys,
        gate: gate(context, inputs),
        limits: policy.limits.clone(),
        tiers: policy.ramp.tier.into_iter().collect(),
        run_limit: None,
        zone: context.zone()?,
        holder: format!("{} (process {})", context.by()?, std::process::id()),
        lease: lease(context)?,
        permits: permits(context)?,
        patience: PATIENCE,
        coexist: context.coexist()?,
    })
}

/// The keys that seals are verified with.
///
/// # Errors
/// `seal.key` without any: then nothing may go.
pub(crate) fn verifying(context: &Context) -> Result<SealKeys> {
    context.seal_keys(false)?.ok_or_else(|| {
        Failure::new("seal.key", "there is no key to verify the seal with").exit(Exit::Blocked)
    })
}

/// `CAIO_LEASE_MS`, for whoever has to take over sooner.
fn lease(context: &Context) -> Result<SignedDuration> {
    let given = number(context, "CAIO_LEASE_MS", "number of milliseconds")?;
    Ok(given.map_or(LEASE, |it| SignedDuration::from_millis(it.into())))
}

/// `CAIO_IN_FLIGHT`: provider calls at one time; `CAIO_LEADS_PER_CALL`: most leads in each.
fn permits(context: &Context) -> Result<Permits> {
    let calls = at_least_one(context, "CAIO_IN_FLIGHT", Permits::MOST)?;
    let leads = at_least_one(context, "CAIO_LEADS_PER_CALL", usize::MAX)?;
    let permits = calls.map_or_else(Permits::default, Permits::new);
    Ok(leads.map_or(permits.clone(), |leads| permits.for_leads(leads)))
}

fn at_least_one(context: &Context, name: &str, most: usize) -> Result<Option<usize>> {
    let what = match most {
        usize::MAX => "number from 1 on".to_owned(),
        most => format!("number from 1 to {most}"),
    };
    let given = number(context, name, &what)?;
    let Some(given) = given else { return Ok(None) };
    match usize::try_from(given)
        .ok()
        .filter(|it| (1..=most).contains(it))
    {
        None => Err(no_number(name, &given.to_string(), &what)),
        some => Ok(some),
    }
}

fn number(context: &Context, name: &str, what: &str) -> Result<Option<u32>> {
    let text = context.environment.get(name).filter(|it| !it.is_empty());
    text.map(|text| text.parse().map_err(|_| no_number(name, text, what)))
        .transpose()
}

fn no_number(name: &str, text: &str, what: &str) -> Failure {
    let message = format!("{name}: `{text}` is no {what}");
    Failure::new("dispatch.config", message).exit(Exit::Usage)
}
