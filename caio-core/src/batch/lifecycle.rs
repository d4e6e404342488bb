//! The life cycle of a batch (rule CP3): one method an edge; every other edge is refused.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;

use crate::terms::Motion;
use crate::time::rfc3339;

use super::digest::Difference;
use super::seal::SealKeys;
use super::{
    Batch, BatchItem, BatchLimits, BatchRefusal, BatchStatus, Execution, OutcomeCounts, Rejection,
};

/// What a new batch is made of.
#[derive(Debug, Clone)]
pub struct NewBatch {
    /// `batch_` and 12 hex digits.
    pub id: String,
    /// Programme.
    pub motion: Motion,
    /// When it is made.
    pub created: Timestamp,
    /// When it can no longer be executed: 1 to 168 hours later.
    pub expires: Timestamp,
    /// 32 random bytes.
    pub nonce: [u8; 32],
    /// Limits in force.
    pub limits: BatchLimits,
    /// Who is written to.
    pub items: Vec<BatchItem>,
    /// The Python system's hash over ids.
    pub preview_hash: String,
}

/// What a reviewer sends back with a yes.
#[derive(Debug, Clone, Copy)]
pub struct Approval<'a> {
    /// Who approves.
    pub by: &'a str,
    /// The digest that was shown.
    pub seen_digest: &'a str,
    /// The batch that was shown, if it is at hand; used to say what changed since.
    pub shown: Option<&'a Batch>,
    /// Keys; the first signs.
    pub keys: &'a SealKeys,
}

/// What became of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemOutcome {
    /// The provider took it.
    Accepted,
    /// It was refused for good.
    Rejected,
    /// It was certainly not sent and may be approved again.
    NotSent,
    /// Nobody knows; it is never sent again without reconciliation.
    Unknown,
}

impl BatchStatus {
    /// Statuses that can follow this one; none for a terminal status.
    pub const fn successors(self) -> &'static [Self] {
        match self {
            Self::Pending => &[Self::Approved, Self::Rejected, Self::Expired],
            Self::Approved => &[Self::Executing, Self::Expired, Self::Rejected],
            // Unknown: until the provider, or a person, has said what became of each.
            Self::Executing | Self::Unknown => {
                &[Self::Executed, Self::Partial, Self::Failed, Self::Unknown]
            }
            _ => &[],
        }
    }

    /// Nothing follows.
    pub const fn is_terminal(self) -> bool {
        self.successors().is_empty()
    }
}

impl Batch {
    /// Makes a pending batch with its digest.
    ///
    /// Refuses an empty one, an expiry outside of 1 to 168 hours, a draft or a person (per medium)
    /// that occurs twice, and a malformed id.
    pub fn create(new: NewBatch) -> Result<Self, BatchRefusal> {
        if new.items.is_empty() {
            return Err(BatchRefusal::Empty);
        }
        if !is_batch_id(&new.id) {
            return Err(BatchRefusal::Malformed {
                field: "batch id",
                given: new.id,
                expected: "`batch_` and 12 lower-case hex digits",
            });
        }
        let seconds = new.expires.as_second() - new.created.as_second();
        if !(3600..=168 * 3600).contains(&seconds) {
            return Err(BatchRefusal::ExpiryOutOfRange {
                hours: seconds.div_euclid(3600),
            });
        }
        let mut batch = Self {
            id: new.id,
            motion: new.motion,
            status: BatchStatus::Pending,
            created_at: rfc3339(new.created),
            expires_at: rfc3339(new.expires),
            nonce: crate::identity::hex(&new.nonce),
            limits: new.limits,
            items: new.items,
            preview_hash: new.preview_hash,
            digest: String::new(),
            seal: None,
            rejection: None,
            execution: None,
        };
        batch.check_items()?;
        batch.digest = batch.compute_digest();
        Ok(batch)
    }

    /// pending → approved, sealed.
    ///
    /// Refuses another status, an expired batch, a record edited since creation, and a digest other
    /// than the stored one (BT-4); the refusal lists what changed where it can.
    pub fn approve(&self, approval: &Approval<'_>, now: Timestamp) -> Result<Self, BatchRefusal> {
        self.leave(BatchStatus::Approved, "approved")?;
        let by = named(approval.by, "approves")?;
        self.check_expiry(now)?;
        if self.digest.is_empty() {
            return Err(BatchRefusal::DigestMissing);
        }
        if approval.seen_digest.trim() != self.digest {
            return Err(BatchRefusal::DigestDiffers {
                seen: approval.seen_digest.trim().to_owned(),
                current: self.digest.clone(),
                changes: approval
                    .shown
                    .map_or_else(Vec::<Difference>::new, |shown| shown.differences(self)),
            });
        }
        if self.compute_digest() != self.digest {
            return Err(BatchRefusal::RecordEdited);
        }
        self.check_items()?;
        let seal = approval
            .keys
            .sign(self, by, &rfc3339(now))
            .ok_or(BatchRefusal::SealMissing)?;
        let mut next = self.clone();
        next.status = BatchStatus::Approved;
        next.seal = Some(seal);
        Ok(next)
    }

    /// pending or approved → rejected. Refuses one that is executing or ended (BT-2).
    pub fn reject(&self, by: &str, reason: &str, now: Timestamp) -> Result<Self, BatchRefusal> {
        self.leave(BatchStatus::Rejected, "rejected")?;
        let by = named(by, "rejects")?;
        let mut next = self.clone();
        next.status = BatchStatus::Rejected;
        next.rejection = Some(Rejection {
            by: by.to_owned(),
            at: rfc3339(now),
            reason: reason.trim().to_owned(),
            revoked: self.status == BatchStatus::Approved,
        });
        Ok(next)
    }

    /// approved → rejected, marked as revoked. Refuses every other status.
    pub fn revoke(&self, by: &str, reason: &str, now: Timestamp) -> Result<Self, BatchRefusal> {
        if self.status != BatchStatus::Approved {
            return Err(BatchRefusal::WrongStatus {
                action: "revoked",
                status: self.status,
            });
        }
        self.reject(by, reason, now)
    }

    /// pending or approved → expired (BT-7). Refuses one whose time has not passed.
    pub fn expire(&self, now: Timestamp) -> Result<Self, BatchRefusal> {
        self.leave(BatchStatus::Expired, "expired")?;
        if self.check_expiry(now).is_ok() {
            return Err(BatchRefusal::NotExpired {
                at: self.expires_at.clone(),
            });
        }
        let mut next = self.clone();
        next.status = BatchStatus::Expired;
        Ok(next)
    }

    /// approved → executing, for `run` and no other, after [`Batch::validate`].
    ///
    /// The caller commits the result together with the single-use claim record of the batch.
    pub fn begin_execution(
        &self,
        run: &str,
        motion: Motion,
        keys: &SealKeys,
        now: Timestamp,
    ) -> Result<Self, BatchRefusal> {
        if run.trim().is_empty() {
            return Err(BatchRefusal::Malformed {
                field: "run id",
                given: run.to_owned(),
                expected: "a text that is not empty",
            });
        }
        self.validate(motion, keys, now)?;
        let mut next = self.clone();
        next.status = BatchStatus::Executing;
        next.execution = Some(Execution {
            run: run.to_owned(),
            started_at: rfc3339(now),
            settled_at: None,
            counts: OutcomeCounts::default(),
        });
        Ok(next)
    }

    /// executing or unknown → executed, partial, failed or unknown, from one outcome for each draft.
    ///
    /// Unknown if one outcome is; executed if all items were accepted; failed if none was (also
    /// when there was none: BT-15); else partial. Refuses missing and stray outcomes.
    pub fn settle(
        &self,
        outcomes: &BTreeMap<String, ItemOutcome>,
        now: Timestamp,
    ) -> Result<Self, BatchRefusal> {
        self.leave(BatchStatus::Unknown, "settled")?;
        let known: HashSet<&str> = self.items.iter().map(|item| item.draft.as_str()).collect();
        if let Some(draft) = outcomes
            .keys()
            .find(|draft| !known.contains(draft.as_str()))
        {
            return Err(BatchRefusal::OutcomeStray {
                draft: draft.clone(),
            });
        }
        let mut counts = OutcomeCounts::default();
        for item in &self.items {
            let outcome =
                outcomes
                    .get(&item.draft)
                    .ok_or_else(|| BatchRefusal::OutcomeMissing {
                        draft: item.draft.clone(),
                    })?;
            counts.add(*outcome);
        }
        let mut next = self.clone();
        next.status = counts.status();
        if let Some(execution) = &mut next.execution {
            execution.settled_at = Some(rfc3339(now));
            execution.counts = counts;
        }
        Ok(next)
    }

    /// Refuses a draft, or a person on one medium, that occurs twice (BT-12, BT-13).
    pub(super) fn check_items(&self) -> Result<(), BatchRefusal> {
        let mut drafts = HashSet::with_capacity(self.items.len());
        let mut touches = HashSet::with_capacity(self.items.len());
        for item in &self.items {
            if !drafts.insert(item.draft.as_str()) {
                return Err(BatchRefusal::DuplicateDraft {
                    draft: item.draft.clone(),
                });
            }
            if !touches.insert((item.recipient.as_str(), item.medium)) {
                return Err(BatchRefusal::DuplicateRecipient {
                    recipient: item.recipient.clone(),
                    medium: item.medium,
                });
            }
        }
        Ok(())
    }

    fn leave(&self, next: BatchStatus, action: &'static str) -> Result<(), BatchRefusal> {
        if self.status.successors().contains(&next) {
            Ok(())
        } else {
            Err(BatchRefusal::WrongStatus {
                action,
                status: self.status,
            })
        }
    }
}

impl OutcomeCounts {
    fn add(&mut self, outcome: ItemOutcome) {
        let counter = match outcome {
            ItemOutcome::Accepted => &mut self.accepted,
            ItemOutcome::Rejected => &mut self.rejected,
            ItemOutcome::NotSent => &mut self.not_sent,
            ItemOutcome::Unknown => &mut self.unknown,
        };
        *counter = counter.saturating_add(1);
    }

    const fn status(self) -> BatchStatus {
        match self {
            Self { unknown: 1.., .. } => BatchStatus::Unknown,
            Self { accepted: 0, .. } => BatchStatus::Failed,
            Self {
                rejected: 0,
                not_sent: 0,
                ..
            } => BatchStatus::Executed,
            _ => BatchStatus::Partial,
        }
    }
}

fn named<'a>(by: &'a str, action: &'static str) -> Result<&'a str, BatchRefusal> {
    let by = by.trim();
    if by.is_empty() {
        Err(BatchRefusal::NobodyNamed { action })
    } else {
        Ok(by)
    }
}

fn is_batch_id(id: &str) -> bool {
    id.strip_prefix("batch_").is_some_and(|digits| {
        digits.len() == 12
            && digits
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
pub(super) mod fixture;
#[cfg(test)]
mod tests;
