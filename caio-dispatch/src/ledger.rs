//! The ledger: an entry is written before each provider call and says afterwards what became of it.
//!
//! `intended -> accepted | rejected | not_sent | unknown`. An entry left at `intended` by a crash
//! counts as unknown: the provider is asked, and only what is proven not delivered is tried again.

use caio_core::batch::BatchItem;
use caio_core::identity::hex;
use caio_state::{Key, Range, StateStore, StateStoreExt, Write};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::channel::{Container, Outcome};
use crate::error::Result;
use crate::records;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// The provider took it.
    Accepted,
    /// Claimed; the provider call has not been answered.
    Intended,
    /// Certainly not sent; its reservations are free again.
    NotSent,
    /// The provider refused it for good.
    Rejected,
    /// It cannot be told.
    Unknown,
}

/// One delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Delivery id.
    pub id: String,
    /// Batch it belongs to.
    pub batch: String,
    /// Run that claimed it.
    pub run: String,
    /// Where it was to go.
    pub container: Container,
    /// What was sealed.
    pub item: BatchItem,
    /// Where it stands.
    pub state: DeliveryState,
    /// The provider's id, once accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// Why, for every other end.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Limit windows that hold a reservation for it.
    pub reservations: Vec<String>,
    /// When it was claimed, RFC 3339 UTC.
    pub intended_at: String,
    /// When its outcome was recorded, RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<String>,
}

impl LedgerEntry {
    /// The entry after `outcome` became known at `at`.
    #[must_use]
    pub fn after(&self, outcome: &Outcome, at: &str) -> Self {
        let (state, receipt, reason) = match outcome {
            Outcome::Accepted { receipt } => (DeliveryState::Accepted, Some(receipt.clone()), ""),
            Outcome::NotSent { reason } => (DeliveryState::NotSent, None, reason.as_str()),
            Outcome::Rejected { reason } => (DeliveryState::Rejected, None, reason.as_str()),
            Outcome::Unknown { reason } => (DeliveryState::Unknown, None, reason.as_str()),
        };
        Self {
            state,
            receipt,
            reason: reason.to_owned(),
            settled_at: Some(at.to_owned()),
            ..self.clone()
        }
    }

    /// Whether the provider may have it: intended, accepted and unknown ones.
    pub fn may_be_out(&self) -> bool {
        matches!(
            self.state,
            DeliveryState::Accepted | DeliveryState::Intended | DeliveryState::Unknown
        )
    }

    /// Key of its record.
    pub fn key(&self) -> Key {
        records::ledger(&self.id)
    }

    /// Writes that store it and its index entries.
    pub fn writes(&self) -> Result<Vec<Write>> {
        let key = self.key();
        let order = format!("{}|{}", self.intended_at, self.id);
        let indexes = [
            records::LEDGER_INDEX.to_owned(),
            records::ledger_of_batch(&self.batch),
            records::ledger_of_person(&self.item.recipient),
        ];
        let mut writes = vec![Write::Put {
            key: key.clone(),
            value: serde_json::to_vec(self)?,
            expires_in: None,
        }];
        writes.extend(indexes.map(|index| Write::Index {
            index,
            order: order.clone(),
            key: key.clone(),
        }));
        Ok(writes)
    }
}

/// Id of a delivery: 32 hex digits of SHA-256 over `batch|provider|recipient|step|draft`.
///
/// Names at the provider carry its first eight digits, so that the provider can be asked later.
pub fn delivery_id(batch: &str, item: &BatchItem) -> String {
    let BatchItem {
        provider,
        recipient,
        step,
        draft,
        ..
    } = item;
    let text = format!("{batch}|{provider}|{recipient}|{step}|{draft}");
    hex(&Sha256::digest(text)[..16])
}

/// Every entry of one batch, in order of intent.
pub async fn of_batch(store: &dyn StateStore, batch: &str) -> Result<Vec<LedgerEntry>> {
    Ok(store
        .index_json(&records::ledger_of_batch(batch), &Range::default())
        .await?)
}

/// Every entry about one person, in order of intent.
pub async fn of_person(
    store: &dyn StateStore,
    person: &caio_core::EmailKey,
) -> Result<Vec<LedgerEntry>> {
    Ok(store
        .index_json(&records::ledger_of_person(person), &Range::default())
        .await?)
}
