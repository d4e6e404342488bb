//! The items of a run as the ledger knows them: after a crash, what was intended is asked for.

use std::collections::BTreeMap;

use caio_core::terms::Provider;

use super::claim;
use super::runner::Context;
use super::step::{Slot, SlotState};
use crate::channel::{Outcome, Proof};
use crate::error::Result;
use crate::ledger::{self, DeliveryState, LedgerEntry};

/// A slot for each item; items that an interrupted run had claimed are reconciled first.
pub(super) async fn slots(context: &Context<'_>) -> Result<Vec<Slot>> {
    let entries = ledger::of_batch(&*context.operator.store, &context.batch.id).await?;
    let known: BTreeMap<&str, &LedgerEntry> = entries
        .iter()
        .map(|entry| (entry.id.as_str(), entry))
        .collect();
    let mut slots = Vec::with_capacity(context.order.len());
    let mut open: BTreeMap<Provider, Vec<(usize, LedgerEntry)>> = BTreeMap::new();
    for slot in 0..context.order.len() {
        let entry = known.get(context.delivery(slot).as_str()).copied();
        if let Some(entry) = entry
            && matches!(
                entry.state,
                DeliveryState::Intended | DeliveryState::Unknown
            )
        {
            open.entry(entry.item.provider)
                .or_default()
                .push((slot, entry.clone()));
        }
        let state = entry.map_or(SlotState::Waiting, state_of);
        slots.push(Slot {
            container: context.container(slot),
            state,
        });
    }
    for (provider, asked) in open {
        for (slot, outcome) in reconcile(context, provider, asked).await {
            claim::record(context, slot, &outcome).await?;
            slots[slot].state = SlotState::Ended(outcome);
        }
    }
    Ok(slots)
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
