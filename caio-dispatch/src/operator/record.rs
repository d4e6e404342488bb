//! What became of items, in the ledger; and of the batch.
//!
//! Each is one transaction. What was not sent gives back its touch and its reservations, and stays
//! approved.

use std::collections::BTreeMap;

use caio_core::batch::{Batch, ItemOutcome};
use caio_core::draft::Draft;
use caio_core::time::rfc3339;
use caio_state::{CommitOutcome, Guard, Key, StateStoreExt, Version, Versioned, Write};
use serde::de::DeserializeOwned;

use super::claim::fence;
use super::context::Context;
use crate::batches::put_batch;
use crate::channel::Outcome;
use crate::coexist::DailyRecord;
use crate::error::{DispatchError, Result};
use crate::history;
use crate::ledger::{DeliveryState, LedgerEntry};
use crate::records;
use crate::transition::{commit, commit_apart};

/// Outcomes recorded in one round trip.
const TOGETHER: usize = 100;

/// How often a record that both systems write is read anew.
const ATTEMPTS: usize = 5;

/// Where the fence stands among the guards of one outcome.
const FENCE: usize = 1;

/// What recording one outcome commits.
struct Known {
    guards: Vec<Guard>,
    writes: Vec<Write>,
    /// The first that is known of it, and it is or may be out: the Python system is told.
    is_news: bool,
}

/// Records what became of these items, each in a commit of its own; while the Python system runs
/// beside us, all in one, which tells it as well.
///
/// # Errors
/// [`DispatchError::Refused`] with `lease.lost`, [`DispatchError::Conflict`] for an entry that somebody
/// else has changed, and what the store says to one that cannot be recorded; the others are recorded.
pub(super) async fn outcomes(context: &Context<'_>, outcomes: &[(usize, Outcome)]) -> Result<()> {
    for outcomes in outcomes.chunks(TOGETHER) {
        if context.locks.is_none() {
            each(context, outcomes).await?;
        } else {
            told(context, outcomes).await?;
        }
    }
    Ok(())
}

async fn each(context: &Context<'_>, outcomes: &[(usize, Outcome)]) -> Result<()> {
    let operator = context.operator;
    let known = read(context, outcomes).await?;
    let commits = known.into_iter().map(|known| (known.guards, known.writes));
    let committed = commit_apart(&*operator.store, &*operator.ids, commits.collect()).await?;
    for ((slot, _), outcome) in outcomes.iter().zip(committed) {
        match outcome? {
            CommitOutcome::Committed => {}
            CommitOutcome::Refused { guard: FENCE } => return Err(lease_lost()),
            CommitOutcome::Refused { .. } => return Err(changed(context.delivery(*slot))),
        }
    }
    Ok(())
}

async fn told(context: &Context<'_>, outcomes: &[(usize, Outcome)]) -> Result<()> {
    let operator = context.operator;
    let (store, ids) = (&*operator.store, &*operator.ids);
    let _beside = context.beside.lock().await;
    for _ in 0..ATTEMPTS {
        let known = read(context, outcomes).await?;
        let daily = DailyRecord::read(store, context.today()).await?;
        let news = outcomes.iter().zip(&known).filter(|(_, it)| it.is_news);
        let messages: Vec<_> = news
            .map(|((slot, _), _)| context.item(*slot))
            .map(|item| (&item.recipient, item.medium, item.step))
            .collect();
        let mut guards = vec![daily.guard()];
        let mut writes = vec![daily.with(&messages, operator.clock.now())];
        if messages.is_empty() {
            (guards, writes) = Default::default();
        }
        let daily_guards = guards.len();
        for known in known {
            guards.extend(known.guards);
            writes.extend(known.writes);
        }
        let fences: Vec<bool> = guards
            .iter()
            .map(|it| matches!(it, Guard::Fence { .. }))
            .collect();
        match commit(store, ids, guards, writes).await? {
            CommitOutcome::Committed => return Ok(()),
            CommitOutcome::Refused { guard } if guard < daily_guards => {}
            CommitOutcome::Refused { guard } if fences[guard] => return Err(lease_lost()),
            CommitOutcome::Refused { .. } => {
                let first = outcomes.first().map(|(slot, _)| context.delivery(*slot));
                return Err(changed(first.unwrap_or_default()));
            }
        }
    }
    Err(DispatchError::Conflict {
        what: "daily record",
        id: context.today().to_string(),
    })
}

/// The commits that record these outcomes, over what the store has now.
async fn read(context: &Context<'_>, outcomes: &[(usize, Outcome)]) -> Result<Vec<Known>> {
    let entries = outcomes
        .iter()
        .map(|(slot, _)| records::ledger(&context.delivery(*slot)));
    let drafts = outcomes
        .iter()
        .map(|(slot, _)| records::draft(&context.item(*slot).draft));
    let keys: Vec<Key> = entries.chain(drafts).collect();
    let mut entries = context.operator.store.get(&keys).await?;
    let drafts = entries.split_off(outcomes.len());
    let (entry_keys, draft_keys) = keys.split_at(outcomes.len());
    let entries = entry_keys.iter().zip(entries);
    let drafts = draft_keys.iter().zip(drafts);
    let mut known = Vec::with_capacity(outcomes.len());
    for ((_, outcome), ((entry_key, entry), (draft_key, draft))) in
        outcomes.iter().zip(entries.zip(drafts))
    {
        let Some(entry) = parse::<LedgerEntry>(entry_key, entry)? else {
            return Err(DispatchError::NotFound {
                what: "ledger entry",
                id: entry_key.to_string(),
            });
        };
        known.push(one(context, outcome, entry, parse(draft_key, draft)?)?);
    }
    Ok(known)
}

fn parse<T: DeserializeOwned>(key: &Key, found: Option<Versioned>) -> Result<Option<(T, Version)>> {
    let Some(Versioned { value, version }) = found else {
        return Ok(None);
    };
    let record = serde_json::from_slice(&value);
    let record = record.map_err(|error| caio_state::StoreError::Corrupt {
        backend: "record",
        key: key.to_string(),
        reason: error.to_string(),
    })?;
    Ok(Some((record, version)))
}

/// The commit that records one outcome.
fn one(
    context: &Context<'_>,
    outcome: &Outcome,
    (entry, version): (LedgerEntry, Version),
    draft: Option<(Draft, Version)>,
) -> Result<Known> {
    let operator = context.operator;
    let now = operator.clock.now();
    let next = entry.after(outcome, &rfc3339(now));
    // The fence stands at `FENCE`.
    let mut guards = vec![Guard::Unchanged(entry.key(), version), fence(context)];
    let mut writes = next.rewrites()?;
    if let Some((draft, version)) = draft {
        let settled = match outcome {
            Outcome::NotSent { .. } => Some(draft.release()?),
            Outcome::Accepted { .. } | Outcome::Rejected { .. } => Some(draft.settle()?),
            Outcome::Unknown { .. } => None,
        };
        if let Some(settled) = settled {
            guards.push(Guard::Unchanged(records::draft(&draft.id), version));
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
    Ok(Known {
        guards,
        writes,
        is_news: entry.state == DeliveryState::Intended
            && matches!(outcome, Outcome::Accepted { .. } | Outcome::Unknown { .. }),
    })
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
        CommitOutcome::Refused { guard: FENCE } => Err(lease_lost()),
        CommitOutcome::Refused { .. } => Err(DispatchError::Conflict {
            what: "batch",
            id: next.id,
        }),
    }
}

fn changed(delivery: String) -> DispatchError {
    DispatchError::Conflict {
        what: "ledger entry",
        id: delivery,
    }
}

/// The provider took longer than the lease lives: whoever comes next finishes what is open.
fn lease_lost() -> DispatchError {
    DispatchError::Refused {
        code: "lease.lost",
        reason: "the lease ended before the provider had answered; run again".to_owned(),
    }
}
