//! The claims of a run: the batch, then its items.
//!
//! Each is one transaction. A guard that fails is a refusal with its reason; nothing was written.

use std::collections::HashSet;
use std::mem;

use caio_core::batch::{Batch, BatchItem, BatchStatus};
use caio_core::draft::Draft;
use caio_core::limits::{SendRequest, Window, WindowName};
use caio_core::terms::{Mode, Provider, Step};
use caio_core::time::rfc3339;
use caio_state::{CommitOutcome, Guard, StateStoreExt, StoreError, Write};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::check::{Checked, Ready, check_items};
use super::context::Context;
use super::kill::{self, Point};
use super::step::{Claimed, Event};
use crate::batches::put_batch;
use crate::channel::Outgoing;
use crate::coexist::DailyRecord;
use crate::error::{DispatchError, Result};
use crate::history;
use crate::ledger::{self, LedgerEntry};
use crate::records;
use crate::transition::{cannot_be_applied, commit, commit_apart};

/// Who took a batch; makes it single-use and is never deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    pub(super) run: String,
    pub(super) holder: String,
    pub(super) fence: u64,
    pub(super) at: String,
}

/// Takes the batch for this run, or goes on with a run that was interrupted.
pub(super) async fn batch(context: &Context<'_>) -> Result<Event> {
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
        CommitOutcome::Committed => Event::BatchClaimed,
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

/// What one item's claim would commit.
struct Intent {
    slot: usize,
    outgoing: Outgoing,
    windows: Vec<Window>,
    guards: Vec<Guard>,
    writes: Vec<Write>,
}

/// What the Python system's records say to a claim, while it runs beside us.
struct Beside {
    daily: DailyRecord,
    guards: Vec<Guard>,
    prolong: Vec<Write>,
}

/// Checks items again and claims each: touch, limits and intent in one commit an item. One that
/// somebody else changed in between is checked anew, and refused with what holds then.
pub(super) async fn items(context: &Context<'_>, slots: &[usize]) -> Result<Event> {
    let mut answers = Vec::with_capacity(slots.len());
    let mut open = slots.to_vec();
    if let Err(refused) = context.operator.follow().await {
        let reason = refused.to_string();
        answers.extend(
            open.drain(..)
                .map(|it| (it, Claimed::Stopped(reason.clone()))),
        );
    }
    kill::reach(Point::BeforeClaim);
    for _ in 0..ATTEMPTS {
        if open.is_empty() {
            break;
        }
        // Nobody of us tells the Python system of a message between the look and the claim.
        let _beside = context.beside.lock().await;
        let beside = match beside(context).await? {
            Ok(beside) => beside,
            Err(lost) => return Ok(Event::StoreFailed(lost)),
        };
        let mut intents = Vec::with_capacity(open.len());
        // Decided when it is known what became of their person's first message here.
        let mut second = Vec::new();
        let mut people = HashSet::new();
        for (slot, checked) in check(context, &open).await? {
            match checked.and_then(|ready| intend(context, slot, ready, beside.as_ref())) {
                Ok(_) if beside.is_some() && !people.insert(&context.item(slot).recipient) => {
                    second.push(slot);
                }
                Ok(intent) => intents.push(intent),
                Err(Stays::Refused(reason)) => answers.push((slot, Claimed::No(reason))),
                Err(Stays::WrittenTo) => {
                    answers.push((slot, Claimed::No(written_to(context, slot).await?)));
                }
                Err(Stays::Failed(error)) => return Err(error),
            }
        }
        open = second;
        if let Some(reason) = held_back(context) {
            let held = intents.iter().map(|intent| intent.slot);
            let stopped = |slot| (slot, Claimed::Stopped(reason.clone()));
            answers.extend(held.chain(open.drain(..)).map(stopped));
            break;
        }
        for (intent, outcome) in commit_all(context, intents, beside).await? {
            let slot = intent.slot;
            let outcome = match outcome {
                Ok(outcome) => outcome,
                Err(error) if cannot_be_applied(&error) => {
                    answers.push((slot, Claimed::No(error.to_string())));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            match answer(context, &intent, &outcome) {
                Answer::Claimed => {
                    context.keep(slot, intent.outgoing);
                    answers.push((slot, Claimed::Yes));
                }
                Answer::Changed => open.push(slot),
                Answer::Fenced => return Ok(Event::StoreFailed(FENCED.to_owned())),
                Answer::Not(claimed) => answers.push((slot, claimed)),
            }
        }
    }
    let changed = |slot| (slot, Claimed::No(CHANGED.to_owned()));
    answers.extend(open.into_iter().map(changed));
    kill::reach(Point::AfterClaim);
    Ok(Event::Claimed(answers))
}

/// Why nothing may be claimed now. That the batch is approved and sealed was verified when it was claimed;
/// its time goes on meanwhile.
fn held_back(context: &Context<'_>) -> Option<String> {
    let operator = context.operator;
    let expired = || context.batch.check_expiry(operator.clock.now()).err();
    let expired = || expired().map(|refusal| refusal.to_string());
    operator.gate.held_back().or_else(expired)
}

/// Why an item is not claimed.
enum Stays {
    Refused(String),
    /// The Python system's record of the day names the person, or will.
    WrittenTo,
    Failed(DispatchError),
}

/// Whose message of today it is that keeps a person from another one: while the Python system runs beside
/// us, its record of the day names whom we wrote to as well.
async fn written_to(context: &Context<'_>, slot: usize) -> Result<String> {
    let operator = context.operator;
    let entries = ledger::of_person(&*operator.store, &context.item(slot).recipient).await?;
    let is_now = |entry: &&LedgerEntry| {
        let at = entry.intended_at.parse::<Timestamp>();
        let day = at.map(|at| at.to_zoned(operator.zone.clone()).date());
        let is_today = day.is_ok_and(|day| day == context.today());
        entry.may_be_out() && (is_today || entry.run == context.run)
    };
    let ours = entries.iter().find(is_now);
    Ok(ours.map_or_else(
        || "the Python system wrote to this person today".to_owned(),
        |entry| {
            format!(
                "we wrote to this person today by {}; while the Python system runs beside us, a person hears \
                 from one of us once a day",
                entry.item.medium
            )
        },
    ))
}

/// Each of these slots, as long as its tier may go now and nothing stands against it.
async fn check(
    context: &Context<'_>,
    slots: &[usize],
) -> Result<Vec<(usize, Result<Box<Ready>, Stays>)>> {
    let operator = context.operator;
    let deliveries: Vec<String> = slots.iter().map(|slot| context.delivery(*slot)).collect();
    let asked = slots.iter().zip(&deliveries);
    let asked: Vec<(&BatchItem, &str)> = asked
        .map(|(slot, delivery)| (context.item(*slot), delivery.as_str()))
        .collect();
    let checked = check_items(&*operator.store, &asked).await?;
    let ready = |(slot, checked): (&usize, Checked)| {
        let tier = context.item(*slot).tier;
        let refused = |reason: String| (*slot, Err(Stays::Refused(reason)));
        if operator.tiers.iter().any(|may_go| *may_go != tier) {
            return refused(format!("{tier} is not what may go now"));
        }
        match checked {
            Checked::Refused(reason) => refused(reason),
            Checked::Ready(ready) if ready.draft.placeholder_sender => {
                refused("its text names no sender: configure one, write it anew".to_owned())
            }
            Checked::Ready(ready) => (*slot, Ok(ready)),
        }
    };
    Ok(slots.iter().zip(checked).map(ready).collect())
}

/// The Python system's locks and its record of the day; the reason when a lock was lost.
async fn beside(context: &Context<'_>) -> Result<Result<Option<Beside>, String>> {
    let Some(locks) = &context.locks else {
        return Ok(Ok(None));
    };
    let store = &*context.operator.store;
    let daily = DailyRecord::read(store, context.today()).await?;
    Ok(match locks.hold(store).await? {
        Some((mut guards, prolong)) => {
            guards.push(daily.guard());
            Ok(Some(Beside {
                daily,
                guards,
                prolong,
            }))
        }
        None => Err("the Python system's lock was lost".to_owned()),
    })
}

/// The guards that every claim begins with: those whose failure is told apart.
fn first_guards(context: &Context<'_>) -> Vec<Guard> {
    let mut guards = vec![Guard::StopAbsent, fence(context)];
    guards.extend(context.authority.clone());
    guards
}

fn intend(
    context: &Context<'_>,
    slot: usize,
    ready: Box<Ready>,
    beside: Option<&Beside>,
) -> Result<Intent, Stays> {
    let person = &context.item(slot).recipient;
    // The record of the day is told of a message when it is known what became of it.
    if beside.is_some_and(|beside| beside.daily.names(person) || context.has_claimed(person)) {
        return Err(Stays::WrittenTo);
    }
    write_intent(context, slot, *ready, beside).map_err(Stays::Failed)
}

fn write_intent(
    context: &Context<'_>,
    slot: usize,
    ready: Ready,
    beside: Option<&Beside>,
) -> Result<Intent> {
    let now = context.operator.clock.now();
    let item = context.item(slot);
    let container = context.container(slot);
    let windows = windows(context, item, &ready.draft, &container.name);
    let entry = LedgerEntry::intended(
        (
            context.delivery(slot),
            context.batch.id.clone(),
            context.run.clone(),
        ),
        (container.clone(), item.clone()),
        windows.iter().map(|window| window.key.clone()).collect(),
        now,
    );
    let claimed = ready.draft.claim(item.provider)?;

    let mut guards = first_guards(context);
    guards.extend(windows.iter().map(|window| Guard::Ceiling {
        counter: records::limit(&window.key),
        add: 1,
        ceiling: window.ceiling.into(),
    }));
    guards.extend(ready.guards);
    guards.extend(beside.iter().flat_map(|beside| beside.guards.clone()));
    let mut writes = entry.writes()?;
    writes.extend(records::put_draft(&claimed, Some(ready.draft.status))?);
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
    Ok(Intent {
        slot,
        outgoing: ready.outgoing,
        windows,
        guards,
        writes,
    })
}

/// Commits the claims, and prolongs the Python system's locks behind them: a lock's version may not
/// change between two claims that are guarded by it.
async fn commit_all(
    context: &Context<'_>,
    mut intents: Vec<Intent>,
    beside: Option<Beside>,
) -> Result<Vec<(Intent, Result<CommitOutcome, StoreError>)>> {
    let operator = context.operator;
    let mut commits: Vec<(Vec<Guard>, Vec<Write>)> = intents
        .iter_mut()
        .map(|intent| (mem::take(&mut intent.guards), mem::take(&mut intent.writes)))
        .collect();
    if commits.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(Beside {
        guards, prolong, ..
    }) = beside
    {
        commits.push((guards, prolong));
    }
    let outcomes = commit_apart(&*operator.store, &*operator.ids, commits).await?;
    Ok(intents.into_iter().zip(outcomes).collect())
}

/// What the store said to a claim.
enum Answer {
    Claimed,
    /// Something that was read is no longer so.
    Changed,
    Fenced,
    Not(Claimed),
}

fn answer(context: &Context<'_>, intent: &Intent, outcome: &CommitOutcome) -> Answer {
    let fixed = 2 + usize::from(context.authority.is_some());
    match outcome {
        CommitOutcome::Committed => Answer::Claimed,
        CommitOutcome::Refused { guard: 0 } => Answer::Not(Claimed::Stopped(STOPPED.to_owned())),
        CommitOutcome::Refused { guard: 1 } => Answer::Fenced,
        CommitOutcome::Refused { guard } if *guard < fixed => {
            Answer::Not(Claimed::Stopped(AUTHORITY.to_owned()))
        }
        CommitOutcome::Refused { guard } => match intent.windows.get(guard - fixed) {
            Some(Window {
                name: WindowName::Delay,
                ends: Some(ends),
                ..
            }) => Answer::Not(if context.may_wait(*ends) {
                Claimed::Later(*ends)
            } else {
                Claimed::No(format!(
                    "not before {}: messages of this kind keep a distance, and this run waits no longer; it \
                     stays approved",
                    rfc3339(*ends)
                ))
            }),
            Some(window) => {
                context.full(&window.key);
                Answer::Not(Claimed::No(format!(
                    "limit reached: {} of {} in window {}",
                    window.ceiling, window.ceiling, window.key
                )))
            }
            None => Answer::Changed,
        },
    }
}

/// How often an item is checked anew after somebody else changed what was read about it.
const ATTEMPTS: usize = 5;

const STOPPED: &str = "the stop flag is set; `caio resume` clears it";
const AUTHORITY: &str = "somebody has said anew who sends for this motion";
const CHANGED: &str = "it was changed or claimed by somebody else meanwhile";
const FENCED: &str = "another executor has taken over";

pub(super) fn fence(context: &Context<'_>) -> Guard {
    Guard::Fence {
        lease: records::executor_lease(&context.batch.id),
        fence: context.held.fence,
    }
}

/// The limit windows of one message.
///
/// A provider that spaces out what it was handed (Instantly by its gap, HeyReach by its own
/// limits) needs no minimum delay between uploads. The texts of follow-ups are the same for everybody,
/// for ever: their campaign is what takes them at the provider.
fn windows(context: &Context<'_>, item: &BatchItem, draft: &Draft, container: &str) -> Vec<Window> {
    let mut policy = context.operator.limits.clone();
    // What calls nobody takes no time, and needs no distance.
    let is_shadow = context.operator.gate.inputs.requested == Mode::Shadow;
    if item.provider != Provider::Ghl || is_shadow {
        policy.email_min_delay_seconds = 0;
    }
    let request = SendRequest {
        medium: item.medium,
        motion: draft.motion,
        recipient: &item.recipient,
        campaign: if item.step == Step::FIRST {
            &draft.campaign
        } else {
            container
        },
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
