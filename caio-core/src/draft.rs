//! A draft: one message to one person, waiting for a person to decide.

use serde::{Deserialize, Serialize};

use crate::identity::EmailKey;
use crate::terms::{Medium, Motion, Step, Tier, terms};

terms! {
    /// Where a draft stands.
    DraftStatus, "draft status", "pending, approved, rejected, claimed, done" {
        /// Waits for a person.
        Pending = "pending",
        /// A person said yes; a batch may take it.
        Approved = "approved",
        /// A person said no; the reason is kept.
        Rejected = "rejected",
        /// A live run has claimed it; the ledger says what became of it.
        Claimed = "claimed",
        /// Settled: sent, or refused for good.
        Done = "done",
    }
}

/// One message to one person.
///
/// Its id is derived from person, medium and step, so the same touch can be queued only once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// `dr_` and 24 hex digits, see [`crate::identity::draft_id`].
    pub id: String,
    /// Where it stands.
    pub status: DraftStatus,
    /// To whom.
    pub recipient: EmailKey,
    /// The address as it will be written.
    pub to: String,
    /// Name of the recipient, for lists.
    pub name: String,
    /// Company of the recipient, for lists.
    pub company: String,
    /// Medium.
    pub medium: Medium,
    /// Position in the cadence.
    pub step: Step,
    /// Programme.
    pub motion: Motion,
    /// Tier at the time of writing.
    pub tier: Tier,
    /// Score at the time of writing, 0–100.
    pub score: u32,
    /// Name and digest of the ICP model that scored.
    pub model: ModelRef,
    /// Campaign, which names the template.
    pub campaign: String,
    /// Subject, exactly as it will be sent.
    pub subject: String,
    /// Plain-text body, exactly as it will be sent.
    pub body: String,
    /// The sender identity was not configured: the text holds marked placeholders and never goes live.
    #[serde(default)]
    pub placeholder_sender: bool,
    /// SHA-256 (64 hex) over the lead's facts that the text was written from.
    pub facts_digest: String,
    /// Source of the lead, for copy and reports.
    pub source: String,
    /// Remarks for the reviewer, such as `role_address`.
    #[serde(default)]
    pub flags: Vec<String>,
    /// When it was written, RFC 3339.
    pub created_at: String,
    /// Who decided, and why; the newest last.
    #[serde(default)]
    pub decisions: Vec<Decision>,
}

/// Name and digest of an ICP model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRef {
    /// Name.
    pub name: String,
    /// SHA-256 of the canonical model, 64 hex digits.
    pub digest: String,
}

/// A decision of a person on a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// `approved`, `rejected`, `edited`, `reopened`.
    pub action: String,
    /// Who.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
    /// Why, where one was given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}
