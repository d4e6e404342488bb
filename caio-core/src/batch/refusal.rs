//! Why a batch is refused: one enum for approval, execution and every other edge.

use crate::identity::EmailKey;
use crate::terms::{Medium, Motion};

use super::BatchStatus;
use super::digest::Difference;

/// Why something could not be done with a batch, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchRefusal {
    /// Somebody has executed, or is executing, it.
    #[error(
        "run {run} has taken this batch already; a batch is executed once: create a new one for what was not sent"
    )]
    AlreadyExecuted {
        /// The run that took it.
        run: String,
    },
    /// What the reviewer saw is not what is stored now.
    #[error("the batch is not the one that was reviewed (digest seen {seen}, now {current}){}; look at it again and approve that", list(.changes))]
    DigestDiffers {
        /// The digest that came with the approval.
        seen: String,
        /// The digest of the stored batch.
        current: String,
        /// What differs, where the reviewed batch was at hand.
        changes: Vec<Difference>,
    },
    /// No digest is stored.
    #[error("the batch has no digest, so it was not made by caio; create it again from its drafts")]
    DigestMissing,
    /// The same draft stands in the batch twice.
    #[error("draft {draft} is in the batch twice; create the batch again")]
    DuplicateDraft {
        /// The draft.
        draft: String,
    },
    /// The same person would be written to twice on one medium (BT-12).
    #[error(
        "{recipient} is in the batch twice for {medium}; reject one of the drafts and create the batch again"
    )]
    DuplicateRecipient {
        /// Who.
        recipient: EmailKey,
        /// On which medium.
        medium: Medium,
    },
    /// There is nothing in it.
    #[error("the batch would hold no message; approve drafts first")]
    Empty,
    /// Its time has passed.
    #[error("the batch expired at {at}; create a new one from the same drafts")]
    Expired {
        /// When.
        at: String,
    },
    /// No expiry is stored.
    #[error("the batch has no expiry, so it counts as expired; create a new one")]
    ExpiryMissing,
    /// The expiry asked for is outside of 1 to 168 hours (CF-5).
    #[error("the batch would be valid for {hours} h; expected 1 to 168 h")]
    ExpiryOutOfRange {
        /// Hours between creation and expiry, rounded down.
        hours: i64,
    },
    /// The expiry is no instant.
    #[error(
        "the expiry `{given}` is no instant such as 2026-03-02T14:00:00Z, so the batch counts as expired; create a new one"
    )]
    ExpiryUnreadable {
        /// What is stored.
        given: String,
    },
    /// An id, nonce or time of a new batch does not have its form.
    #[error("{field} is `{given}`; expected {expected}")]
    Malformed {
        /// Field.
        field: &'static str,
        /// What was given.
        given: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The run is for another motion.
    #[error(
        "the batch is for motion {found}, the run for {expected}; run it with --motion {found}"
    )]
    Motion {
        /// What the run does.
        expected: Motion,
        /// What the batch is for.
        found: Motion,
    },
    /// Nobody is named.
    #[error("nobody is named as the one who {action}; give --by NAME or set CAIO_USER")]
    NobodyNamed {
        /// What was to be done, such as `approves`.
        action: &'static str,
    },
    /// It is too early to expire it.
    #[error("the batch is valid until {at}; reject or revoke it to end it earlier")]
    NotExpired {
        /// Until when.
        at: String,
    },
    /// An item has no outcome.
    #[error(
        "no outcome is given for draft {draft}; a batch is settled with one outcome for each item"
    )]
    OutcomeMissing {
        /// The draft.
        draft: String,
    },
    /// An outcome names a draft that is not in the batch.
    #[error("an outcome names draft {draft}, which is not in the batch")]
    OutcomeStray {
        /// The draft.
        draft: String,
    },
    /// Id, motion, times, nonce, limits or items were edited after creation.
    #[error(
        "the stored batch was edited after its creation: its content no longer gives its digest; create it again"
    )]
    RecordEdited,
    /// The batch carries no seal.
    #[error("the batch has no seal, so no person approved it here; review and approve it")]
    SealMissing,
    /// The seal does not verify.
    #[error(
        "the seal does not fit: approver, time of approval, key or content were changed after approval; create a new batch"
    )]
    SealMismatch,
    /// The key that signed is not configured.
    #[error(
        "seal key `{key_id}` is not in CAIO_SEAL_KEYS; add it (it only has to verify) or approve again"
    )]
    SealKeyUnknown {
        /// Which key.
        key_id: String,
    },
    /// This edge does not exist (CP3).
    #[error("a batch that is {status} cannot be {action}")]
    WrongStatus {
        /// What was to be done, such as `approved`.
        action: &'static str,
        /// Where the batch stands.
        status: BatchStatus,
    },
}

impl BatchRefusal {
    /// Stable code, shown by every surface.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AlreadyExecuted { .. } => "batch.already_executed",
            Self::DigestDiffers { .. } => "batch.digest_differs",
            Self::DigestMissing => "batch.digest_missing",
            Self::DuplicateDraft { .. } => "batch.duplicate_draft",
            Self::DuplicateRecipient { .. } => "batch.duplicate_recipient",
            Self::Empty => "batch.empty",
            Self::Expired { .. } => "batch.expired",
            Self::ExpiryMissing => "batch.expiry_missing",
            Self::ExpiryOutOfRange { .. } => "batch.expiry_out_of_range",
            Self::ExpiryUnreadable { .. } => "batch.expiry_unreadable",
            Self::Malformed { .. } => "batch.malformed",
            Self::Motion { .. } => "batch.motion",
            Self::NobodyNamed { .. } => "batch.nobody_named",
            Self::NotExpired { .. } => "batch.not_expired",
            Self::OutcomeMissing { .. } => "batch.outcome_missing",
            Self::OutcomeStray { .. } => "batch.outcome_stray",
            Self::RecordEdited => "batch.record_edited",
            Self::SealMissing => "batch.seal_missing",
            Self::SealMismatch => "batch.seal_mismatch",
            Self::SealKeyUnknown { .. } => "batch.seal_key_unknown",
            Self::WrongStatus { .. } => "batch.wrong_status",
        }
    }
}

fn list(changes: &[Difference]) -> String {
    let mut text = String::new();
    for (position, change) in changes.iter().enumerate() {
        text.push_str(if position == 0 { ": " } else { "; " });
        text.push_str(&change.to_string());
    }
    text
}
