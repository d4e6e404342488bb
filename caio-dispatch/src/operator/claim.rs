//! The commits of a run: claim the batch, claim an item, record its outcome, settle.
//!
//! Each is one transaction. A guard that fails is a refusal with its reason; nothing was written.

use std::collections::BTreeMap;

use caio_core::batch::{Batch, BatchItem, BatchStatus, ItemOutcome};
use caio_core::draft::Draft;
use caio_core::limits::{SendRequest, Window};
use caio_core::terms::Provider;
use caio_core::time::rfc3339;
use caio_state::{CommitOutcome, Guard, StateStoreExt, Write};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::check::{Checked, check_item};
use super::runner::Context;
use super::step::Event;
use crate::batches::put_batch;
use crate::channel::Outcome;
use crate::coexist::DailyRecord;
use crate::error::{DispatchError, Result};
use crate::history;
use crate::ledger::{DeliveryState, LedgerEntry};
use crate::records;
use crate::transition::commit;

/// Who took a batch; makes it single-use and is never deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    pub(super) run: String,
    pub(super) holder: String,
    pub(super) fence: u64,
    pub(super) at: String,
}

/// Takes the batch for this run, or goes on with a run that was interrupted.
pub(super) async fn batch(context: &mut Context<'_>) -> Result<Event> {
    let operator = context.operator;
    let store = &*operator.store;
    let now = operator.clock.now();
    let key = records::batch(&context.batch.id);
    let claim_key = records::claim(&context.batch.id);
    if context.batch.status == BatchStatus::Executing {
        let claim = store.get_json::<Claim>(&claim_key).await?;
        return Ok(resume(context, claim.map(|(claim, _)| claim)));
    }
    let Some((stored, version)) = store.get_json::<Batch>(&key).await? else {
        return Err(DispatchError::NotFound {
            what: "batch",
            id: context.batch.id.clone(),
        });
    };
    let motion = stored.motion;
    let next = match stored.begin_execution(&context.run, motion, &operator.keys, now) {
        Ok(next) => next,
        Err(refusal) => return Ok(Event::BatchRefused(refusal.to_string())),
    };
    let claim = Claim {
        run: context.run.clone(),
        holder: operator.holder.clone(),
        fence: context.held.fence,
        at: rfc3339(now),
    };
    let guards = vec![
        Guard::StopAbsent,
        fence(context),
        Guard::Absent(claim_key.clone()),
        Guard::Unchanged(key, version),
    ];
    let mut writes = put_batch(&next, Some(stored.status))?;
    writes.push(Write::Put {
        key: claim_key,
        value: serde_json::to_vec(&claim)?,
        expires_in: None,
    });
    let id = operator.ids.id();
    let event = history::Event::new(&id, now, &operator.holder, "batch.executing", &next.id);
    writes.extend(event.because(context.run.as_str()).writes()?);
    Ok(match commit(store, &*operator.ids, guards, writes).await? {
        CommitOutcome::Committed => {
            context.batch = next;
            Event::BatchClaimed
        }
        CommitOutcome::Refused { guard: 0 } => Event::BatchRefused(STOPPED.to_owned()),
        CommitOutcome::Refused { guard: 1 } => Event::BatchRefused(FENCED.to_owned()),
        CommitOutcome::Refused { guard: 2 } => {
            Event::BatchRefused("the batch has been executed before; a batch runs once".to_owned())
        }
        CommitOutcome::Refused { .. } => {
            Event::BatchRefused("the batch was changed by somebody else meanwhile".to_owned())
        }
    })
}

/// Goes on with an interrupted run, if its claim says that it is this one.
fn resume(context: &Context<'_>, claim: Option<Claim>) -> Event {
    if claim.is_none_or(|claim| claim.run != context.run) {
        return Event::BatchRefused("the batch is executing, but no claim says by whom".to_owned());
    }
    let operator = context.operator;
    match context.batch.verify(&operator.keys, operator.clock.now()) {
        Ok(()) => Event::BatchClaimed,
        Err(refusals) => {
            let reasons: Vec<String> = refusals.iter().map(ToString::to_string).collect();
            Event::BatchClosed(reasons.join("; "))
        }
    }
}

/// Checks one item again and claims it: touch, limits and intent in one commit.
pub(super) async fn item(context: &mut Context<'_>, slot: usize) -> Result<Event> {
    let operator = context.operator;
    let store = &*operator.store;
    let now = operator.clock.now();
    let item = context.batch.items[context.order[slot]].clone();
    let delivery = context.delivery(slot);
    if operator.tiers.iter().any(|tier| *tier != item.tier) {
        return Ok(Event::ItemRefused(format!(
            "{} is not what may go now",
            item.tier
        )));
    }
    if let Err(refused) = operator.follow().await {
        return Ok(Event::Stopped(refused.to_string()));
    }
    let checked = match check_item(store, &item, &delivery).await? {
        Checked::Ready(ready) => ready,
        Checked::Refused(reason) => return Ok(Event::ItemRefused(reason)),
    };
    if checked.draft.placeholder_sender {
        return Ok(Event::ItemRefused(
            "its text names no sender: configure one, write it anew".to_owned(),
        ));
    }
    let windows = windows(context, &item, &checked.draft);
    let entry = LedgerEntry {
        id: delivery,
        batch: context.batch.id.clone(),
        run: context.run.clone(),
        container: context.container(slot),
        item: item.clone(),
        state: DeliveryState::Intended,
        receipt: None,
        reason: String::new(),
        reservations: windows.iter().map(|window| window.key.clone()).collect(),
        intended_at: rfc3339(now),
        settled_at: None,
        sent_at: None,
        bounced_at: None,
        replied_at: None,
    };
    let claimed = checked.draft.claim()?;

    // The first guards are those whose failure is told apart below.
    let mut guards = vec![Guard::StopAbsent, fence(context)];
    guards.extend(context.authority.clone());
    let fixed = guards.len();
    guards.extend(windows.iter().map(|window| Guard::Ceiling {
        counter: records::limit(&window.key),
        add: 1,
        ceiling: window.ceiling.into(),
    }));
    guards.extend(checked.guards);
    let mut writes = entry.writes()?;
    if let Some(locks) = &context.locks {
        let daily = DailyRecord::read(store, context.today()).await?;
        if daily.names(&item.recipient) {
            return Ok(Event::ItemRefused(
                "the Python system wrote to this person today".to_owned(),
            ));
        }
        let Some((held, prolonged)) = locks.hold(store).await? else {
            return Ok(Event::StoreFailed(
                "the Python system's lock was lost".to_owned(),
            ));
        };
        guards.extend(held);
        guards.push(daily.guard());
        writes.extend(prolonged);
    }
    writes.extend(records::put_draft(&claimed, Some(checked.draft.status))?);
    writes.push(Write::Put {
        key: records::touch(&item.recipient, item.medium, item.step),
        value: serde_json::to_vec(&entry.id)?,
        expires_in: None,
    });
    writes.extend(windows.iter().map(|window| {
        Write::Add {
            counter: records::limit(&window.key),
            amount: 1,
            expires_in: window
                .ends
                .map(|ends| ends.duration_since(now) + SignedDuration::from_hours(24)),
        }
    }));
    Ok(match commit(store, &*operator.ids, guards, writes).await? {
        CommitOutcome::Committed => {
            context.outgoing.insert(slot, checked.outgoing);
            Event::ItemClaimed
        }
        CommitOutcome::Refused { guard: 0 } => Event::Stopped(STOPPED.to_owned()),
        CommitOutcome::Refused { guard: 1 } => Event::StoreFailed(FENCED.to_owned()),
        CommitOutcome::Refused { guard } if guard < fixed => Event::Stopped(AUTHORITY.to_owned()),
        CommitOutcome::Refused { guard } => match windows.get(guard - fixed) {
            Some(window) => Event::ItemRefused(format!(
                "limit reached: {} of {} in window {}",
                window.ceiling, window.ceiling, window.key
            )),
            None => Event::ItemRefused(
                "it was changed or claimed by somebody else meanwhile".to_owned(),
            ),
        },
    })
}

/// Records what became of one item; frees what a message that was not sent had reserved.
pub(super) async fn record(context: &Context<'_>, slot: usize, outcome: &Outcome) -> Result<()> {
    let operator = context.operator;
    let store = &*operator.store;
    let now = operator.clock.now();
    let key = records::ledger(&context.delivery(slot));
    let Some((entry, version)) = store.get_json::<LedgerEntry>(&key).await? else {
        return Err(DispatchError::NotFound {
            what: "ledger entry",
            id: key.to_string(),
        });
    };
    let next = entry.after(outcome, &rfc3339(now));
    let mut guards = vec![Guard::Unchanged(key, version), fence(context)];
    let mut writes = next.writes()?;
    let draft_key = records::draft(&entry.item.draft);
    if let Some((draft, draft_version)) = store.get_json::<Draft>(&draft_key).await? {
        let settled = match outcome {
            Outcome::NotSent { .. } => Some(draft.release()?),
            Outcome::Accepted { .. } | Outcome::Rejected { .. } => Some(draft.settle()?),
            Outcome::Unknown { .. } => None,
        };
        if let Some(settled) = settled {
            guards.push(Guard::Unchanged(draft_key, draft_version));
            writes.extend(records::put_draft(&settled, Some(draft.status))?);
        }
    }
    if matches!(outcome, Outcome::NotSent { .. }) {
        let item = &entry.item;
        writes.push(Write::Delete(records::touch(
            &item.recipient,
            item.medium,
            item.step,
        )));
        writes.extend(entry.reservations.iter().map(|window| Write::Add {
            counter: records::limit(window),
            amount: -1,
            expires_in: None,
        }));
    }
    let kind = match outcome {
        Outcome::Accepted { .. } => "delivery.accepted",
        Outcome::NotSent { .. } => "delivery.not_sent",
        Outcome::Rejected { .. } => "delivery.rejected",
        Outcome::Unknown { .. } => "delivery.unknown",
    };
    let event = history::Event::new(&operator.ids.id(), now, &operator.holder, kind, &next.id);
    let detail = next.receipt.clone().unwrap_or_else(|| next.reason.clone());
    writes.extend(event.about(&next.item.recipient).because(detail).writes()?);
    match commit(store, &*operator.ids, guards, writes).await? {
        CommitOutcome::Committed => Ok(()),
        CommitOutcome::Refused { guard: 1 } => Err(lease_lost()),
        CommitOutcome::Refused { .. } => Err(DispatchError::Conflict {
            what: "ledger entry",
            id: next.id,
        }),
    }
}

/// Gives the batch its final status.
pub(super) async fn settle(
    context: &Context<'_>,
    outcomes: &BTreeMap<String, ItemOutcome>,
) -> Result<Batch> {
    let operator = context.operator;
    let store = &*operator.store;
    let now = operator.clock.now();
    let key = records::batch(&context.batch.id);
    let Some((stored, version)) = store.get_json::<Batch>(&key).await? else {
        return Err(DispatchError::NotFound {
            what: "batch",
            id: context.batch.id.clone(),
        });
    };
    let next = stored.settle(outcomes, now)?;
    let mut writes = put_batch(&next, Some(stored.status))?;
    let id = operator.ids.id();
    let kind = format!("batch.{}", next.status);
    writes.extend(history::Event::new(&id, now, &operator.holder, &kind, &next.id).writes()?);
    let guards = vec![Guard::Unchanged(key, version), fence(context)];
    match commit(store, &*operator.ids, guards, writes).await? {
        CommitOutcome::Committed => Ok(next),
        CommitOutcome::Refused { guard: 1 } => Err(lease_lost()),
        CommitOutcome::Refused { .. } => Err(DispatchError::Conflict {
            what: "batch",
            id: next.id,
        }),
    }
}

/// The provider took longer than the lease lives: whoever comes next finishes what is open.
fn lease_lost() -> DispatchError {
    DispatchError::Refused {
        code: "lease.lost",
        reason: "the lease ended before the provider had answered; run again".to_owned(),
    }
}

const STOPPED: &str = "the stop flag is set; `caio resume` clears it";
const AUTHORITY: &str = "somebody has said anew who sends for this motion";
const FENCED: &str = "another executor has taken over";

fn fence(context: &Context<'_>) -> Guard {
    Guard::Fence {
        lease: records::executor_lease(&context.batch.id),
        fence: context.held.fence,
    }
}

/// The limit windows of one message.
///
/// A provider that spaces out what it was handed (Instantly by its gap, HeyReach by its own
/// limits) needs no minimum delay between uploads.
fn windows(context: &Context<'_>, item: &BatchItem, draft: &Draft) -> Vec<Window> {
    let mut policy = context.operator.limits.clone();
    if item.provider != Provider::Ghl {
        policy.email_min_delay_seconds = 0;
    }
    let request = SendRequest {
        medium: item.medium,
        motion: context.batch.motion,
        recipient: &item.recipient,
        campaign: &draft.campaign,
        run: context
            .operator
            .run_limit
            .map(|limit| (context.run.as_str(), limit)),
    };
    policy.windows(
        &request,
        context.operator.clock.now(),
        &context.operator.zone,
    )
}
