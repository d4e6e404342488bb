//! Batches for the tests of this module.

use super::*;
use crate::batch::content_sha256;
use crate::identity::EmailKey;
use crate::terms::{Medium, Provider, Step, Tier};

pub(in crate::batch) const KEYS: &str = "k1:c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA==";

pub(in crate::batch) fn keys() -> SealKeys {
    SealKeys::parse(KEYS).unwrap()
}

pub(in crate::batch) fn noon() -> Timestamp {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

pub(in crate::batch) fn content(number: usize) -> (String, String) {
    (
        format!("Question {number}"),
        format!("Hello, number {number}."),
    )
}

pub(in crate::batch) fn item(number: usize) -> BatchItem {
    let (subject, body) = content(number);
    BatchItem {
        draft: format!("dr_{number:024x}"),
        recipient: EmailKey::parse(&format!("person{number}@example.com")).unwrap(),
        medium: Medium::Email,
        provider: Provider::Instantly,
        pool: "primary".into(),
        tier: Tier::One,
        step: Step::FIRST,
        content: content_sha256(&subject, &body),
    }
}

pub(in crate::batch) fn new(count: usize) -> NewBatch {
    NewBatch {
        id: "batch_0a1b2c3d4e5f".into(),
        motion: Motion::Outbound,
        created: "2026-03-02T11:00:00Z".parse().unwrap(),
        expires: "2026-03-03T11:00:00Z".parse().unwrap(),
        nonce: [7; 32],
        limits: BatchLimits {
            email_per_day: 5,
            linkedin_per_day: 5,
        },
        items: (0..count).map(item).collect(),
        preview_hash: "ab".repeat(32),
    }
}

/// A pending batch; also without items, which `create` refuses.
pub(in crate::batch) fn with_items(count: usize) -> Batch {
    let mut batch = Batch::create(new(count.max(1))).unwrap();
    batch.items.truncate(count);
    batch.digest = batch.compute_digest();
    batch
}

pub(in crate::batch) fn pending() -> Batch {
    with_items(3)
}

pub(in crate::batch) fn approve(batch: &Batch) -> Batch {
    let approval = Approval {
        by: "sam",
        seen_digest: &batch.digest,
        shown: None,
        keys: &keys(),
    };
    batch.approve(&approval, noon()).unwrap()
}

pub(in crate::batch) fn approved() -> Batch {
    approve(&pending())
}

pub(in crate::batch) fn executing() -> Batch {
    approved()
        .begin_execution("run-1", Motion::Outbound, &keys(), noon())
        .unwrap()
}

pub(in crate::batch) fn executed() -> Batch {
    let batch = executing();
    let outcomes = batch
        .items
        .iter()
        .map(|item| (item.draft.clone(), ItemOutcome::Accepted))
        .collect();
    batch.settle(&outcomes, noon()).unwrap()
}
