//! What is asked of a batch, and of each of its items, before anything is sent.

use jiff::Timestamp;

use crate::terms::Motion;

use super::seal::SealKeys;
use super::{Batch, BatchItem, BatchRefusal, BatchStatus, content_sha256};

/// Why one item of a sealed batch is not sent; the others are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ItemRefusal {
    /// Subject or body are not the approved ones.
    #[error(
        "subject or body of {draft} were changed after approval; approve the draft again in a new batch"
    )]
    ContentChanged {
        /// The draft.
        draft: String,
    },
    /// The item is not in the batch as it is given.
    #[error(
        "{draft} to {recipient} is not in the approved batch in this form; approve it in a new batch"
    )]
    NotInBatch {
        /// The draft.
        draft: String,
        /// To whom.
        recipient: String,
    },
}

impl ItemRefusal {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ContentChanged { .. } => "batch.content_changed",
            Self::NotInBatch { .. } => "batch.not_in_batch",
        }
    }
}

impl Batch {
    /// Whether a run for `motion` may take this batch now; the first reason where it may not.
    ///
    /// In this order: status, digest present, expiry present, not taken before, not expired,
    /// motion, digest fits, seal fits. A run for `all` takes a batch of any motion; a run for one
    /// motion refuses an `all` batch, whose other parts it would leave behind (BT-5).
    pub fn validate(
        &self,
        motion: Motion,
        keys: &SealKeys,
        now: Timestamp,
    ) -> Result<(), BatchRefusal> {
        if self.status != BatchStatus::Approved {
            return Err(BatchRefusal::WrongStatus {
                action: "executed",
                status: self.status,
            });
        }
        if self.digest.is_empty() {
            return Err(BatchRefusal::DigestMissing);
        }
        if let Some(execution) = &self.execution {
            return Err(BatchRefusal::AlreadyExecuted {
                run: execution.run.clone(),
            });
        }
        self.check_expiry(now)?;
        if motion != Motion::All && motion != self.motion {
            return Err(BatchRefusal::Motion {
                expected: motion,
                found: self.motion,
            });
        }
        if self.digest != self.compute_digest() {
            return Err(BatchRefusal::RecordEdited);
        }
        keys.verify(self)?;
        self.check_items()
    }

    /// Whether the record is what a person approved, whatever became of the batch since.
    pub fn verify_seal(&self, keys: &SealKeys) -> Result<(), BatchRefusal> {
        if self.digest.is_empty() {
            return Err(BatchRefusal::DigestMissing);
        }
        if self.digest != self.compute_digest() {
            return Err(BatchRefusal::RecordEdited);
        }
        keys.verify(self)
    }

    /// Whether this approval still holds at `now`; every reason where it does not.
    ///
    /// Asked again while a batch is executing, and by reading commands.
    pub fn verify(&self, keys: &SealKeys, now: Timestamp) -> Result<(), Vec<BatchRefusal>> {
        let mut faults = Vec::new();
        if !matches!(self.status, BatchStatus::Approved | BatchStatus::Executing) {
            faults.push(BatchRefusal::WrongStatus {
                action: "executed",
                status: self.status,
            });
        }
        faults.extend(self.check_expiry(now).err());
        if self.digest.is_empty() {
            faults.push(BatchRefusal::DigestMissing);
        } else if self.digest != self.compute_digest() {
            faults.push(BatchRefusal::RecordEdited);
        }
        faults.extend(keys.verify(self).err());
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    /// Whether `item` stands in this batch and `subject` and `body` are what was approved.
    ///
    /// Walks the items: who goes over [`Batch::items`] anyway asks [`BatchItem::verify_content`].
    pub fn verify_item(
        &self,
        item: &BatchItem,
        subject: &str,
        body: &str,
    ) -> Result<(), ItemRefusal> {
        if !self.items.contains(item) {
            return Err(ItemRefusal::NotInBatch {
                draft: item.draft.clone(),
                recipient: item.recipient.to_string(),
            });
        }
        item.verify_content(subject, body)
    }
}

impl BatchItem {
    /// Whether `subject` and `body` are, byte for byte, what was approved.
    pub fn verify_content(&self, subject: &str, body: &str) -> Result<(), ItemRefusal> {
        if self.content == content_sha256(subject, body) {
            Ok(())
        } else {
            Err(ItemRefusal::ContentChanged {
                draft: self.draft.clone(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::digest::tests::Edit;
    use crate::batch::lifecycle::{Approval, fixture};

    fn code(batch: &Batch, motion: Motion) -> Option<&'static str> {
        batch
            .validate(motion, &fixture::keys(), fixture::noon())
            .err()
            .map(|refusal| refusal.code())
    }

    #[test]
    fn an_approved_batch_is_valid_for_its_motion_and_for_all() {
        let batch = fixture::approved();
        assert_eq!(code(&batch, Motion::Outbound), None);
        assert_eq!(code(&batch, Motion::All), None);
        assert_eq!(code(&batch, Motion::Revival), Some("batch.motion"));
    }

    #[test]
    fn a_run_for_one_motion_leaves_an_all_batch_whole() {
        let mut batch = fixture::pending();
        batch.motion = Motion::All;
        batch.digest = batch.compute_digest();
        let batch = fixture::approve(&batch);
        assert_eq!(code(&batch, Motion::Outbound), Some("batch.motion"));
        assert_eq!(code(&batch, Motion::All), None);
    }

    #[test]
    fn each_fault_is_found() {
        let cases: [(&str, Edit); 7] = [
            ("batch.wrong_status", |b| b.status = BatchStatus::Executed),
            ("batch.digest_missing", |b| b.digest.clear()),
            ("batch.expiry_missing", |b| b.expires_at.clear()),
            ("batch.expired", |b| {
                b.expires_at = "2026-03-02T11:00:00".into();
            }),
            ("batch.expiry_unreadable", |b| b.expires_at = "never".into()),
            ("batch.record_edited", |b| b.nonce = "00".repeat(32)),
            ("batch.seal_missing", |b| b.seal = None),
        ];
        for (expected, edit) in cases {
            let mut batch = fixture::approved();
            edit(&mut batch);
            assert_eq!(code(&batch, Motion::Outbound), Some(expected));
        }
    }

    #[test]
    fn a_flipped_status_makes_nothing_executable() {
        let mut never_approved = fixture::pending();
        never_approved.status = BatchStatus::Approved;
        assert_eq!(
            code(&never_approved, Motion::Outbound),
            Some("batch.seal_missing")
        );

        let mut executed = fixture::executed();
        executed.status = BatchStatus::Approved;
        assert_eq!(
            code(&executed, Motion::Outbound),
            Some("batch.already_executed")
        );
    }

    #[test]
    fn a_moved_expiry_is_refused_even_with_a_fresh_digest() {
        let mut batch = fixture::approved();
        batch.expires_at = "2030-01-01T00:00:00Z".into();
        assert_eq!(code(&batch, Motion::Outbound), Some("batch.record_edited"));
        batch.digest = batch.compute_digest();
        assert_eq!(code(&batch, Motion::Outbound), Some("batch.seal_mismatch"));
    }

    #[test]
    fn verify_names_every_fault_at_once() {
        let mut batch = fixture::approved();
        batch.status = BatchStatus::Rejected;
        batch.expires_at = "2026-03-01T00:00:00Z".into();
        let codes: Vec<_> = batch
            .verify(&fixture::keys(), fixture::noon())
            .unwrap_err()
            .iter()
            .map(BatchRefusal::code)
            .collect();
        assert_eq!(
            codes,
            [
                "batch.wrong_status",
                "batch.expired",
                "batch.record_edited",
                "batch.seal_mismatch"
            ]
        );
    }

    #[test]
    fn scenario_9_edited_content_refuses_that_item_and_no_other() {
        let batch = fixture::approved();
        let (subject, body) = fixture::content(0);
        batch.verify_item(&batch.items[0], &subject, &body).unwrap();
        let edited = batch.verify_item(&batch.items[0], &subject, "Something else.");
        assert_eq!(edited.unwrap_err().code(), "batch.content_changed");
        let (subject, body) = fixture::content(1);
        batch.verify_item(&batch.items[1], &subject, &body).unwrap();
        let stranger = fixture::item(77);
        let (subject, body) = fixture::content(77);
        let refusal = batch.verify_item(&stranger, &subject, &body).unwrap_err();
        assert_eq!(refusal.code(), "batch.not_in_batch");
    }

    #[test]
    fn moving_a_word_from_subject_to_body_is_a_change() {
        let item = fixture::item(0);
        let (subject, body) = fixture::content(0);
        let (head, tail) = subject.split_at(3);
        assert!(item.verify_content(head, &format!("{tail}{body}")).is_err());
    }

    #[test]
    fn scenario_14_an_empty_scope_holds_no_item_that_could_be_sent() {
        let empty = fixture::with_items(0);
        let approved = empty
            .approve(
                &Approval {
                    by: "sam",
                    seen_digest: &empty.digest,
                    shown: None,
                    keys: &fixture::keys(),
                },
                fixture::noon(),
            )
            .unwrap();
        let item = fixture::item(0);
        let (subject, body) = fixture::content(0);
        assert!(approved.verify_item(&item, &subject, &body).is_err());
    }
}
