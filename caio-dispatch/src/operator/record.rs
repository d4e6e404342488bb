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
use crate::error::{DispatchError, Result};
use crate::history;
use crate::ledger::LedgerEntry;
use crate::records;
use crate::transition::{commit, commit_each};

/// Records what became of these items, each in a commit of its own.
///
/// # Errors
/// [`DispatchError::Refused`] with `lease.lost`, [`DispatchError::Conflict`] for an entry that somebody
/// else has changed; those before it are recorded.
pub(super) async fn outcomes(context: &Context<'_>, outcomes: &[(usize, Outcome)]) -> Result<()> {
    let operator = context.operator;
    let deliveries: Vec<String> = outcomes
        .iter()
        .map(|(slot, _)| context.delivery(*slot))
        .collect();
    let entries = deliveries.iter().map(|delivery| records::ledger(delivery));
    let drafts = outcomes.iter().map(|(slot, _)| &context.item(*slot).draft);
    let keys: Vec<Key> = entries.chain(drafts.map(|id| records::draft(id))).collect();
    let mut entries = operator.store.get(&keys).await?;
    let drafts = entries.split_off(outcomes.len());
    let mut commits = Vec::with_capacity(outcomes.len());
    for (at, ((_, outcome), (entry, draft))) in outcomes
        .iter()
        .zip(entries.into_iter().zip(drafts))
        .enumerate()
    {
        let Some(entry) = parse::<LedgerEntry>(&keys[at], entry)? else {
            return Err(DispatchError::NotFound {
                what: "ledger entry",
                id: keys[at].to_string(),
            });
        };
        let draft = parse::<Draft>(&keys[outcomes.len() + at], draft)?;
        commits.push(one(context, outcome, entry, draft)?);
    }
    let committed = commit_each(&*operator.store, &*operator.ids, commits).await?;
    for (delivery, outcome) in deliveries.into_iter().zip(committed) {
        match outcome {
            CommitOutcome::Committed => {}
            CommitOutcome::Refused { guard: 1 } => return Err(lease_lost()),
            CommitOutcome::Refused { .. } => {
                return Err(DispatchError::Conflict {
                    what: "ledger entry",
                    id: delivery,
                });
            }
        }
    }
    Ok(())
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
) -> Result<(Vec<Guard>, Vec<Write>)> {
    let operator = context.operator;
    let now = operator.clock.now();
    let next = entry.after(outcome, &rfc3339(now));
    let mut guards = vec![Guard::Unchanged(entry.key(), version), fence(context)];
    let mut writes = vec![next.put()?];
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
    Ok((guards, writes))
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
