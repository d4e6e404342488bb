//! A batch: the exact messages that a person approves together, and what became of them.
//!
//! The life cycle (`pending -> approved -> executing -> executed | partial | failed | unknown`, or
//! `rejected`, `expired`) is a guarded state machine: each edge is one method that takes a batch
//! and answers with the next one, or with a [`BatchRefusal`]. The *digest* ties an approval to what
//! the reviewer saw, the *seal* ties an execution to what was approved.
//!
//! The seal does not cover `status`, which changes after approval. Flipping the status by hand
//! still makes nothing executable: a `pending` batch turned to `approved` has no valid seal, and an
//! `executed` one turned back to `approved` keeps its execution record and is stopped by the
//! single-use claim that the operator keeps outside the batch (absent-guard, never deleted).

pub mod digest;
pub mod expiry;
pub mod lifecycle;
pub mod refusal;
pub mod seal;
pub mod validate;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::identity::{EmailKey, hex};
use crate::terms::{Medium, Motion, Provider, Step, Tier, terms};

pub use digest::Difference;
pub use expiry::parse_instant;
pub use lifecycle::{Approval, ItemOutcome, NewBatch};
pub use refusal::BatchRefusal;
pub use seal::{SealKeyError, SealKeys};
pub use validate::ItemRefusal;

terms! {
    /// Where a batch stands (rule CP3).
    BatchStatus, "batch status",
    "pending, approved, executing, executed, partial, failed, unknown, rejected, expired" {
        /// Waits for a person.
        Pending = "pending",
        /// Sealed; may be executed once.
        Approved = "approved",
        /// One executor holds it.
        Executing = "executing",
        /// Every item was accepted.
        Executed = "executed",
        /// Some items were accepted; the rest stays approvable.
        Partial = "partial",
        /// No item was accepted.
        Failed = "failed",
        /// At least one outcome is not known.
        Unknown = "unknown",
        /// A person said no, before or after approval.
        Rejected = "rejected",
        /// Its time passed.
        Expired = "expired",
    }
}

/// The exact messages that a person approves together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Batch {
    /// `batch_` and 12 hex digits.
    pub id: String,
    /// Programme.
    pub motion: Motion,
    /// Where it stands.
    pub status: BatchStatus,
    /// When it was made, RFC 3339 UTC.
    pub created_at: String,
    /// When it can no longer be executed, RFC 3339 UTC.
    pub expires_at: String,
    /// 64 hex digits, fresh for each batch.
    pub nonce: String,
    /// Limits that were in force and shown.
    pub limits: BatchLimits,
    /// Who is written to, one entry a message.
    pub items: Vec<BatchItem>,
    /// The Python system's hash over ids, for records that both sides read.
    pub preview_hash: String,
    /// Unkeyed SHA-256 (64 hex) over everything above; the reviewer sends it back.
    pub digest: String,
    /// Present once approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<Seal>,
    /// Present once rejected or revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection: Option<Rejection>,
    /// Present once one executor has taken it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<Execution>,
}

/// Limits shown to the approver and covered by the seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BatchLimits {
    /// E-mails a day.
    pub email_per_day: u32,
    /// LinkedIn contacts a day.
    pub linkedin_per_day: u32,
}

/// One message of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BatchItem {
    /// The draft.
    pub draft: String,
    /// To whom.
    pub recipient: EmailKey,
    /// Medium.
    pub medium: Medium,
    /// Who delivers.
    pub provider: Provider,
    /// Pool of sending accounts.
    pub pool: String,
    /// Tier.
    pub tier: Tier,
    /// Position in the cadence.
    pub step: Step,
    /// SHA-256 (64 hex) of the exact subject and body, see [`crate::batch::content_sha256`].
    pub content: String,
}

/// Approval that can be verified: HMAC-SHA256 over everything that was approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Seal {
    /// Which key signed.
    pub key_id: String,
    /// 64 hex digits.
    pub mac: String,
    /// Who approved.
    pub approved_by: String,
    /// When, RFC 3339 UTC.
    pub approved_at: String,
}

/// Who said no, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Rejection {
    /// Who.
    pub by: String,
    /// When, RFC 3339 UTC.
    pub at: String,
    /// Why.
    pub reason: String,
    /// It had been approved before.
    pub revoked: bool,
}

/// The one run that took a batch, and what became of its items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Execution {
    /// The run.
    pub run: String,
    /// When it took the batch, RFC 3339 UTC.
    pub started_at: String,
    /// When the outcomes were written, RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<String>,
    /// Items by outcome, all zero until settled.
    #[serde(default)]
    pub counts: OutcomeCounts,
}

/// Items of a settled batch by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OutcomeCounts {
    /// A provider took the item.
    pub accepted: u32,
    /// A provider, or a check before the call, refused the item for good.
    pub rejected: u32,
    /// Certainly not sent; may be approved again.
    pub not_sent: u32,
    /// Waits for reconciliation or a person.
    pub unknown: u32,
}

/// SHA-256 (64 hex) over subject and body, each preceded by its length in bytes (8, big-endian).
pub fn content_sha256(subject: &str, body: &str) -> String {
    let mut hasher = Sha256::new();
    for part in [subject, body] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hex(&hasher.finalize())
}
