//! A draft: one message to one person, waiting for a person to decide.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::batch::content_sha256;
use crate::identity::EmailKey;
use crate::terms::{Medium, Motion, Provider, Step, Tier, terms};
use crate::time::rfc3339;

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
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
    /// Who was to deliver it when it was claimed: nobody else may, unless a person reopens it (GH-4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Provider>,
    /// Who decided, and why; the newest last.
    #[serde(default)]
    pub decisions: Vec<Decision>,
}

/// Name and digest of an ICP model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ModelRef {
    /// Name.
    pub name: String,
    /// SHA-256 of the canonical model, 64 hex digits.
    pub digest: String,
}

/// A decision of a person on a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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

/// Why something could not be done with a draft, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DraftRefusal {
    /// A text is missing.
    #[error("the {field} would be empty; expected a text")]
    Empty {
        /// Which text.
        field: &'static str,
    },
    /// Nobody is named.
    #[error("nobody is named as the one who decides; give --by NAME or set CAIO_USER")]
    NobodyNamed,
    /// A rejection needs its reason, so that the next draft can be better.
    #[error("a rejection needs a reason; give --reason TEXT")]
    NoReason,
    /// A line break in a subject.
    #[error("the subject has more than one line; expected one")]
    SubjectLines,
    /// Another provider was to deliver it.
    #[error(
        "it was handed to {bound} before and does not go through {via}; `caio drafts reopen` releases it"
    )]
    Bound {
        /// Who was to deliver it.
        bound: Provider,
        /// Who would now.
        via: Provider,
    },
    /// The status does not allow it.
    #[error("the draft is {status} and cannot be {action}; expected {expected}")]
    WrongStatus {
        /// What was to be done.
        action: &'static str,
        /// Where it stands.
        status: DraftStatus,
        /// Where it would have to stand.
        expected: &'static str,
    },
}

impl DraftRefusal {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Bound { .. } => "draft.bound",
            Self::Empty { .. } => "draft.empty",
            Self::NobodyNamed => "draft.nobody_named",
            Self::NoReason => "draft.no_reason",
            Self::SubjectLines => "draft.subject_lines",
            Self::WrongStatus { .. } => "draft.wrong_status",
        }
    }
}

impl Draft {
    /// SHA-256 of the exact subject and body: what a seal covers.
    pub fn content(&self) -> String {
        content_sha256(&self.subject, &self.body)
    }

    /// pending → approved. Refuses every other status: what was sent, rejected or approved cannot
    /// be approved again (GH-1, GH-2).
    pub fn approve(&self, by: &str, now: Timestamp) -> Result<Self, DraftRefusal> {
        self.leave(&[DraftStatus::Pending], "approved", "pending")?;
        self.decided(DraftStatus::Approved, "approved", by, now, "")
    }

    /// pending or approved → rejected; the reason is kept. Refuses an empty one.
    pub fn reject(&self, by: &str, now: Timestamp, reason: &str) -> Result<Self, DraftRefusal> {
        self.leave(UNCLAIMED, "rejected", "pending or approved")?;
        if reason.trim().is_empty() {
            return Err(DraftRefusal::NoReason);
        }
        self.decided(DraftStatus::Rejected, "rejected", by, now, reason)
    }

    /// approved or rejected → pending: undoes a decision, also on who delivers it.
    pub fn reopen(&self, by: &str, now: Timestamp, reason: &str) -> Result<Self, DraftRefusal> {
        let decided = [DraftStatus::Approved, DraftStatus::Rejected];
        self.leave(&decided, "reopened", "approved or rejected")?;
        let mut next = self.decided(DraftStatus::Pending, "reopened", by, now, reason)?;
        next.via = None;
        Ok(next)
    }

    /// Changes the text. A yes was for the old text, so an approved draft becomes pending again.
    pub fn edit(
        &self,
        subject: &str,
        body: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<Self, DraftRefusal> {
        self.leave(UNCLAIMED, "edited", "pending or approved")?;
        for (field, text) in [("subject", subject), ("body", body)] {
            // A LinkedIn note has no subject.
            let may_be_empty = field == "subject" && self.medium == Medium::LinkedIn;
            if text.trim().is_empty() && !may_be_empty {
                return Err(DraftRefusal::Empty { field });
            }
        }
        if subject.contains(['\n', '\r']) {
            return Err(DraftRefusal::SubjectLines);
        }
        let mut next = self.decided(DraftStatus::Pending, "edited", by, now, "")?;
        subject.clone_into(&mut next.subject);
        body.clone_into(&mut next.body);
        Ok(next)
    }

    /// approved → claimed, by a run that is about to deliver it through `via`.
    pub fn claim(&self, via: Provider) -> Result<Self, DraftRefusal> {
        self.leave(&[DraftStatus::Approved], "claimed", "approved")?;
        self.may_go_through(via)?;
        let mut next = self.at(DraftStatus::Claimed);
        next.via = Some(via);
        Ok(next)
    }

    /// Refuses every provider but the one that was to deliver it before: what one sender was handed
    /// never reaches a person through another one, however that ended (GH-4).
    pub fn may_go_through(&self, via: Provider) -> Result<(), DraftRefusal> {
        match self.via {
            Some(bound) if bound != via => Err(DraftRefusal::Bound { bound, via }),
            _ => Ok(()),
        }
    }

    /// claimed → approved: it was certainly not sent and may go with another batch.
    pub fn release(&self) -> Result<Self, DraftRefusal> {
        self.leave(&[DraftStatus::Claimed], "released", "claimed")?;
        Ok(self.at(DraftStatus::Approved))
    }

    /// claimed → done: its outcome is in the ledger.
    pub fn settle(&self) -> Result<Self, DraftRefusal> {
        self.leave(&[DraftStatus::Claimed], "settled", "claimed")?;
        Ok(self.at(DraftStatus::Done))
    }

    fn leave(
        &self,
        from: &[DraftStatus],
        action: &'static str,
        expected: &'static str,
    ) -> Result<(), DraftRefusal> {
        if from.contains(&self.status) {
            Ok(())
        } else {
            Err(DraftRefusal::WrongStatus {
                action,
                status: self.status,
                expected,
            })
        }
    }

    fn decided(
        &self,
        status: DraftStatus,
        action: &str,
        by: &str,
        now: Timestamp,
        reason: &str,
    ) -> Result<Self, DraftRefusal> {
        if by.trim().is_empty() {
            return Err(DraftRefusal::NobodyNamed);
        }
        let mut next = self.at(status);
        next.decisions.push(Decision {
            action: action.to_owned(),
            by: by.to_owned(),
            at: rfc3339(now),
            reason: reason.to_owned(),
        });
        Ok(next)
    }

    fn at(&self, status: DraftStatus) -> Self {
        Self {
            status,
            ..self.clone()
        }
    }
}

/// Statuses in which nobody has begun to deliver it.
const UNCLAIMED: &[DraftStatus] = &[DraftStatus::Pending, DraftStatus::Approved];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn draft() -> Draft {
        Draft {
            id: "dr_1".to_owned(),
            status: DraftStatus::Pending,
            recipient: EmailKey::parse("kim@example.com").unwrap(),
            to: "kim@example.com".to_owned(),
            name: "Kim".to_owned(),
            company: "Acorn".to_owned(),
            medium: Medium::Email,
            step: Step::FIRST,
            motion: Motion::Outbound,
            tier: Tier::One,
            score: 90,
            model: ModelRef {
                name: "default".to_owned(),
                digest: String::new(),
            },
            campaign: "nurture_sequence".to_owned(),
            subject: "Hello".to_owned(),
            body: "Body".to_owned(),
            placeholder_sender: false,
            facts_digest: String::new(),
            source: String::new(),
            flags: Vec::new(),
            created_at: String::new(),
            via: None,
            decisions: Vec::new(),
        }
    }

    fn act(draft: &Draft, action: u8) -> Result<Draft, DraftRefusal> {
        let now = Timestamp::UNIX_EPOCH;
        match action % 7 {
            0 => draft.approve("ann", now),
            1 => draft.reject("ann", now, "tone"),
            2 => draft.reopen("ann", now, ""),
            3 => draft.edit("Subject", "Other", "ann", now),
            4 => draft.claim(Provider::Instantly),
            5 => draft.release(),
            _ => draft.settle(),
        }
    }

    #[test]
    fn a_decision_names_who_and_why() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(draft().approve(" ", now), Err(DraftRefusal::NobodyNamed));
        assert_eq!(draft().reject("ann", now, " "), Err(DraftRefusal::NoReason));
        assert_eq!(
            draft().edit("a\nb", "c", "ann", now),
            Err(DraftRefusal::SubjectLines)
        );
        assert_eq!(
            draft().edit("a", " ", "ann", now),
            Err(DraftRefusal::Empty { field: "body" })
        );
        let rejected = draft().reject("ann", now, "tone").unwrap();
        assert_eq!(rejected.decisions[0].reason, "tone");
    }

    #[test]
    fn what_one_sender_was_handed_no_other_one_delivers() {
        let now = Timestamp::UNIX_EPOCH;
        let approved = draft().approve("ann", now).unwrap();
        let released = approved.claim(Provider::Ghl).unwrap().release().unwrap();
        assert_eq!(
            released.claim(Provider::Instantly).unwrap_err().code(),
            "draft.bound"
        );
        assert!(released.claim(Provider::Ghl).is_ok());
        let edited = released.edit("Subject", "Other", "ann", now).unwrap();
        assert!(edited.may_go_through(Provider::Instantly).is_err());
        let reopened = released.reopen("ann", now, "").unwrap();
        assert_eq!(reopened.may_go_through(Provider::Instantly), Ok(()));
    }

    proptest! {
        #[test]
        fn only_an_approval_of_this_very_text_leads_to_a_claim(
            actions in prop::collection::vec(any::<u8>(), 0..20)
        ) {
            let mut draft = draft();
            let mut approved: Option<String> = None;
            for action in actions {
                let before = draft.status;
                if let Ok(next) = act(&draft, action) {
                    prop_assert!(before != DraftStatus::Done, "nothing follows the end");
                    match action % 7 {
                        0 => approved = Some(next.content()),
                        1..=3 => approved = None,
                        4 => prop_assert_eq!(approved.as_ref(), Some(&next.content())),
                        _ => {}
                    }
                    draft = next;
                }
            }
        }
    }
}
