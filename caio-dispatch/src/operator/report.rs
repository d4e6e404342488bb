//! What a run did, item by item.

use std::collections::BTreeSet;

use caio_core::batch::{Batch, BatchItem, BatchStatus};
use caio_core::terms::Provider;
use serde::Serialize;

use super::step::{Run, Slot, SlotState};
use crate::channel::Outcome;

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ItemReport {
    /// The draft.
    pub draft: String,
    /// To whom.
    pub recipient: String,
    /// By whom.
    pub provider: Provider,
    /// `accepted`, `rejected`, `not_sent`, `unknown`, `refused` or `waiting`.
    pub state: &'static str,
    /// Receipt or reason.
    pub detail: String,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RunReport {
    /// Run id.
    pub run: String,
    /// Batch.
    pub batch: String,
    /// Status of the batch afterwards.
    pub status: BatchStatus,
    /// Why the run ended early, if it did.
    pub stopped: Option<String>,
    /// Limit windows that were full.
    pub limits: BTreeSet<String>,
    /// Every item.
    pub items: Vec<ItemReport>,
}

/// The report of a run over `items`, one for each of its slots.
pub(super) fn report<'a>(
    id: String,
    batch: &Batch,
    run: &Run,
    limits: BTreeSet<String>,
    items: impl Iterator<Item = &'a BatchItem>,
) -> RunReport {
    let item = |(slot, item): (&Slot, &BatchItem)| {
        let (state, detail) = describe(slot);
        ItemReport {
            draft: item.draft.clone(),
            recipient: item.recipient.to_string(),
            provider: item.provider,
            state,
            detail,
        }
    };
    RunReport {
        run: id,
        batch: batch.id.clone(),
        status: batch.status,
        stopped: run.stopped.clone(),
        limits,
        items: run.slots.iter().zip(items).map(item).collect(),
    }
}

fn describe(slot: &Slot) -> (&'static str, String) {
    let outcome = match &slot.state {
        SlotState::Waiting => return ("waiting", String::new()),
        SlotState::Refused(reason) => return ("refused", reason.clone()),
        SlotState::Claiming | SlotState::Claimed | SlotState::Delivering => {
            let why = "the run ended before the provider had answered; run again";
            return ("unknown", why.to_owned());
        }
        SlotState::Answered(outcome) | SlotState::Ended(outcome) => outcome,
    };
    match outcome {
        Outcome::Accepted { receipt } => ("accepted", receipt.clone()),
        Outcome::NotSent { reason } => ("not_sent", reason.clone()),
        Outcome::Rejected { reason } => ("rejected", reason.clone()),
        Outcome::Unknown { reason } => ("unknown", reason.clone()),
    }
}
