//! The items of a run as the ledger knows them: after a crash, what was intended is asked for.

use std::collections::{BTreeMap, BTreeSet};

use caio_core::batch::BatchStatus;
use caio_core::terms::Provider;
use jiff::Timestamp;

use super::context::Context;
use super::record;
use super::step::{Slot, SlotState};
use crate::channel::{Outcome, Proof};
use crate::error::{DispatchError, Result};
use crate::ledger::{self, DeliveryState, LedgerEntry};

/// A slot for each item. What an interrupted run had claimed, and what nobody knew, is asked for
/// first; what it certainly did not send waits again, as long as its batch is being executed.
///
/// # Errors
/// [`DispatchError::Refused`] with `delivery.settling` while a lost call may still take effect.
pub(super) async fn slots(context: &Context<'_>) -> Result<Vec<Slot>> {
    let entries = ledger::of_batch(&*context.operator.store, &context.batch.id).await?;
    let mut slots = slots_of(context, &entries);
    let places: BTreeMap<String, usize> = (0..slots.len())
        .map(|slot| (context.delivery(slot), slot))
        .collect();
    let mut open: BTreeMap<Provider, Vec<(usize, LedgerEntry)>> = BTreeMap::new();
    for entry in entries {
        let is_open = matches!(
            entry.state,
            DeliveryState::Intended | DeliveryState::Unknown
        );
        if is_open && let Some(slot) = places.get(&entry.id).copied() {
            let asked = open.entry(entry.item.provider).or_default();
            asked.push((slot, entry));
        }
    }
    for (provider, asked) in &open {
        let entries = asked.iter().map(|(_, entry)| entry);
        settled(context, *provider, entries)?;
    }
    for (provider, asked) in open {
        let intended: BTreeSet<usize> = asked
            .iter()
            .filter(|(_, entry)| entry.state == DeliveryState::Intended)
            .map(|(slot, _)| *slot)
            .collect();
        let mut news = reconcile(context, provider, asked).await;
        news.retain(|(slot, outcome)| {
            intended.contains(slot) || !matches!(outcome, Outcome::Unknown { .. })
        });
        record::outcomes(context, &news).await?;
        for (slot, outcome) in news {
            slots[slot].state = SlotState::Ended(outcome);
        }
    }
    if context.batch.status == BatchStatus::Executing {
        for slot in &mut slots {
            if matches!(slot.state, SlotState::Ended(Outcome::NotSent { .. })) {
                slot.state = SlotState::Waiting;
            }
        }
    }
    Ok(slots)
}

/// A slot for each item, as the ledger has it.
pub(super) async fn known(context: &Context<'_>) -> Result<Vec<Slot>> {
    let entries = ledger::of_batch(&*context.operator.store, &context.batch.id).await?;
    Ok(slots_of(context, &entries))
}

fn slots_of(context: &Context<'_>, entries: &[LedgerEntry]) -> Vec<Slot> {
    let known: BTreeMap<&str, &LedgerEntry> = entries
        .iter()
        .map(|entry| (entry.id.as_str(), entry))
        .collect();
    let slot = |slot: usize| {
        let entry = known.get(context.delivery(slot).as_str()).copied();
        Slot {
            lane: context.lane(slot),
            state: entry.map_or(SlotState::Waiting, state_of),
        }
    };
    (0..context.len()).map(slot).collect()
}

/// Refuses while what was handed over last may still arrive.
fn settled<'a>(
    context: &Context<'_>,
    provider: Provider,
    entries: impl Iterator<Item = &'a LedgerEntry>,
) -> Result<()> {
    let Some(channel) = context.operator.channels.get(&provider) else {
        return Ok(());
    };
    let now = context.operator.clock.now();
    let left = |entry: &LedgerEntry| {
        let since = entry.settled_at.as_ref().unwrap_or(&entry.intended_at);
        let since: Timestamp = since.parse().ok()?;
        Some(channel.settles_within() - now.duration_since(since))
    };
    match entries.filter_map(left).max() {
        Some(left) if left.is_positive() => Err(DispatchError::Refused {
            code: "delivery.settling",
            reason: format!(
                "what was handed to {provider} last may still arrive; run again in {} seconds",
                left.as_secs() + 1
            ),
        }),
        _ => Ok(()),
    }
}

/// Asks the provider what became of `asked`; without a channel nobody can tell.
async fn reconcile(
    context: &Context<'_>,
    provider: Provider,
    asked: Vec<(usize, LedgerEntry)>,
) -> Vec<(usize, Outcome)> {
    let (slots, entries): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
    let proofs = match context.operator.channels.get(&provider) {
        Some(channel) => channel.reconcile(&entries).await,
        None => Vec::new(),
    };
    let undecided = || Proof::Undecided {
        reason: format!("{provider} could not be asked"),
    };
    let proofs = proofs.into_iter().map(Some).chain(std::iter::repeat(None));
    let outcomes = proofs.map(|proof| match proof.unwrap_or_else(undecided) {
        Proof::Delivered { receipt } => Outcome::Accepted { receipt },
        Proof::NotDelivered => Outcome::NotSent {
            reason: "interrupted; the provider does not have it".to_owned(),
        },
        Proof::Undecided { reason } => Outcome::Unknown { reason },
    });
    slots.into_iter().zip(outcomes).collect()
}

fn state_of(entry: &LedgerEntry) -> SlotState {
    let reason = entry.reason.clone();
    SlotState::Ended(match entry.state {
        DeliveryState::Accepted => Outcome::Accepted {
            receipt: entry.receipt.clone().unwrap_or_default(),
        },
        DeliveryState::NotSent => Outcome::NotSent { reason },
        DeliveryState::Rejected => Outcome::Rejected { reason },
        DeliveryState::Intended | DeliveryState::Unknown => Outcome::Unknown { reason },
    })
}
