//! The digest: unkeyed SHA-256 over everything a reviewer sees, and what differs between two batches.

use std::collections::BTreeMap;
use std::fmt;

use sha2::digest::Update;
use sha2::{Digest, Sha256};

use crate::identity::hex;

use super::{Batch, BatchItem};

impl Batch {
    /// Unkeyed SHA-256 (64 hex) over id, motion, creation, expiry, nonce, limits and items.
    ///
    /// Each field is preceded by its length in bytes (8, big-endian). Items are stably sorted by
    /// draft, so their order does not count. `status` changes and `preview_hash` is derived: both
    /// are left out.
    pub fn compute_digest(&self) -> String {
        let mut hasher = Sha256::new();
        let mut out = Canonical::new(&mut hasher);
        out.text("caio-digest-v1");
        self.write_frame(&mut out);
        self.write_items(&mut out);
        out.finish();
        hex(&hasher.finalize())
    }

    /// What differs from `other`, in the order a reviewer reads: frame first, then items by draft.
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        for (field, here, there) in [
            ("id", &self.id, &other.id),
            ("creation", &self.created_at, &other.created_at),
            ("expiry", &self.expires_at, &other.expires_at),
            ("nonce", &self.nonce, &other.nonce),
        ] {
            if here != there {
                found.push(Difference::field(field, here, there));
            }
        }
        if self.motion != other.motion {
            found.push(Difference::field("motion", &self.motion, &other.motion));
        }
        for (field, here, there) in [
            (
                "limit of e-mails a day",
                self.limits.email_per_day,
                other.limits.email_per_day,
            ),
            (
                "limit of LinkedIn contacts a day",
                self.limits.linkedin_per_day,
                other.limits.linkedin_per_day,
            ),
        ] {
            if here != there {
                found.push(Difference::field(field, &here, &there));
            }
        }
        self.item_differences(other, &mut found);
        found
    }

    fn item_differences(&self, other: &Self, found: &mut Vec<Difference>) {
        let before: BTreeMap<&str, &BatchItem> = by_draft(&self.items);
        let after: BTreeMap<&str, &BatchItem> = by_draft(&other.items);
        for (draft, old) in &before {
            match after.get(draft) {
                None => found.push(Difference::ItemRemoved {
                    draft: (*draft).to_owned(),
                    recipient: old.recipient.to_string(),
                }),
                Some(new) if new != old => found.push(Difference::ItemChanged {
                    draft: (*draft).to_owned(),
                    fields: changed_fields(old, new),
                }),
                Some(_) => {}
            }
        }
        for (draft, new) in &after {
            if !before.contains_key(draft) {
                found.push(Difference::ItemAdded {
                    draft: (*draft).to_owned(),
                    recipient: new.recipient.to_string(),
                });
            }
        }
        // Two entries of one draft hide behind one key above; their number still tells.
        if found.is_empty() && self.items.len() != other.items.len() {
            found.push(Difference::field(
                "number of items",
                &self.items.len(),
                &other.items.len(),
            ));
        }
    }

    /// Everything but the items.
    pub(super) fn write_frame<H: Update>(&self, out: &mut Canonical<'_, H>) {
        out.text(&self.id);
        out.text(self.motion.as_str());
        out.text(&self.created_at);
        out.text(&self.expires_at);
        out.text(&self.nonce);
        out.number(self.limits.email_per_day);
        out.number(self.limits.linkedin_per_day);
    }

    /// The items, stably sorted by draft.
    pub(super) fn write_items<H: Update>(&self, out: &mut Canonical<'_, H>) {
        let mut items: Vec<&BatchItem> = self.items.iter().collect();
        items.sort_by(|a, b| a.draft.cmp(&b.draft));
        out.length(items.len());
        for item in items {
            out.text(item.recipient.as_str());
            out.text(item.medium.as_str());
            out.text(item.provider.as_str());
            out.text(&item.pool);
            out.text(item.tier.as_str());
            out.number(item.step.0);
            out.text(&item.draft);
            out.text(&item.content);
        }
    }
}

/// One thing that differs between two batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// A field of the batch itself.
    Field {
        /// Which.
        field: &'static str,
        /// Before.
        before: String,
        /// After.
        after: String,
    },
    /// A message was added.
    ItemAdded {
        /// Its draft.
        draft: String,
        /// To whom.
        recipient: String,
    },
    /// A message was changed.
    ItemChanged {
        /// Its draft.
        draft: String,
        /// What changed in it.
        fields: Vec<&'static str>,
    },
    /// A message was removed.
    ItemRemoved {
        /// Its draft.
        draft: String,
        /// To whom.
        recipient: String,
    },
}

impl Difference {
    fn field(field: &'static str, before: &impl ToString, after: &impl ToString) -> Self {
        Self::Field {
            field,
            before: before.to_string(),
            after: after.to_string(),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field {
                field,
                before,
                after,
            } => write!(f, "{field} {before} became {after}"),
            Self::ItemAdded { draft, recipient } => write!(f, "{draft} to {recipient} was added"),
            Self::ItemChanged { draft, fields } => {
                write!(f, "{draft} changed in {}", fields.join(", "))
            }
            Self::ItemRemoved { draft, recipient } => {
                write!(f, "{draft} to {recipient} was removed")
            }
        }
    }
}

/// Streams length-prefixed fields into a hash, through one buffer for the whole batch.
#[derive(Debug)]
pub(super) struct Canonical<'a, H: Update> {
    sink: &'a mut H,
    buffer: Vec<u8>,
}

impl<'a, H: Update> Canonical<'a, H> {
    /// The hash wants few large writes rather than many small ones.
    const CAPACITY: usize = 8 * 1024;

    pub(super) fn new(sink: &'a mut H) -> Self {
        Self {
            sink,
            buffer: Vec::with_capacity(Self::CAPACITY),
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        self.length(text.len());
        self.bytes(text.as_bytes());
    }

    pub(super) fn number(&mut self, number: u32) {
        self.bytes(&number.to_be_bytes());
    }

    fn length(&mut self, length: usize) {
        self.bytes(&(length as u64).to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() > Self::CAPACITY {
            self.sink.update(&self.buffer);
            self.buffer.clear();
        }
        if bytes.len() > Self::CAPACITY {
            self.sink.update(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    pub(super) fn finish(self) {
        self.sink.update(&self.buffer);
    }
}

fn by_draft(items: &[BatchItem]) -> BTreeMap<&str, &BatchItem> {
    items
        .iter()
        .map(|item| (item.draft.as_str(), item))
        .collect()
}

fn changed_fields(old: &BatchItem, new: &BatchItem) -> Vec<&'static str> {
    [
        ("recipient", old.recipient != new.recipient),
        ("medium", old.medium != new.medium),
        ("provider", old.provider != new.provider),
        ("pool", old.pool != new.pool),
        ("tier", old.tier != new.tier),
        ("step", old.step != new.step),
        ("text", old.content != new.content),
    ]
    .into_iter()
    .filter_map(|(field, differs)| differs.then_some(field))
    .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::batch::lifecycle::fixture;
    use crate::identity::EmailKey;
    use crate::terms::{Medium, Motion, Provider, Step, Tier};

    pub(in crate::batch) type Edit = fn(&mut Batch);

    /// Every single-field edit of a batch; the digest and the seal must notice each.
    pub(in crate::batch) fn edits() -> Vec<(&'static str, Edit)> {
        vec![
            ("id", |b| b.id.push('0')),
            ("motion", |b| b.motion = Motion::All),
            ("created", |b| b.created_at.push(' ')),
            ("expiry", |b| b.expires_at = "2027-01-01T00:00:00Z".into()),
            ("nonce", |b| b.nonce = "ff".repeat(32)),
            ("email limit", |b| b.limits.email_per_day += 1),
            ("linkedin limit", |b| b.limits.linkedin_per_day += 1),
            ("item added", |b| b.items.push(fixture::item(99))),
            ("item removed", |b| drop(b.items.pop())),
            ("draft", |b| b.items[0].draft.push('x')),
            ("recipient", |b| {
                b.items[0].recipient = EmailKey::parse("other@example.org").unwrap();
            }),
            ("medium", |b| b.items[0].medium = Medium::LinkedIn),
            ("provider", |b| b.items[0].provider = Provider::Ghl),
            ("pool", |b| b.items[0].pool.push('x')),
            ("tier", |b| b.items[0].tier = Tier::Four),
            ("step", |b| b.items[0].step = Step(2)),
            ("content", |b| b.items[0].content = "00".repeat(32)),
        ]
    }

    #[test]
    fn every_single_edit_changes_the_digest_and_is_named() {
        let original = fixture::pending();
        for (what, edit) in edits() {
            let mut edited = original.clone();
            edit(&mut edited);
            assert_ne!(edited.compute_digest(), original.compute_digest(), "{what}");
            assert!(!original.differences(&edited).is_empty(), "{what}");
        }
        assert!(original.differences(&original).is_empty());
    }

    #[test]
    fn differences_read_like_sentences() {
        let before = fixture::pending();
        let mut after = before.clone();
        after.items[1].content = "00".repeat(32);
        after.limits.email_per_day = 25;
        let text: Vec<String> = before
            .differences(&after)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            text,
            [
                "limit of e-mails a day 5 became 25",
                "dr_000000000000000000000001 changed in text"
            ]
        );
    }

    proptest! {
        #[test]
        fn the_order_of_items_does_not_count(count in 0_usize..40, turn in 0_usize..40) {
            let batch = fixture::with_items(count);
            let mut turned = batch.clone();
            if count > 0 { turned.items.rotate_left(turn % count); }
            prop_assert_eq!(batch.compute_digest(), turned.compute_digest());
        }

        #[test]
        fn bytes_do_not_move_between_fields(left in "[a-z]{0,6}", right in "[a-z]{0,6}", cut in 0_usize..6) {
            let mut one = fixture::pending();
            one.id = left.clone();
            one.created_at = right.clone();
            let mut two = one.clone();
            let cut = cut.min(left.len());
            two.id = left[..cut].to_owned();
            two.created_at = format!("{}{right}", &left[cut..]);
            prop_assert_eq!(one == two, one.compute_digest() == two.compute_digest());
        }

        #[test]
        fn any_text_in_the_pool_counts(a in ".{0,9000}", b in ".{0,20}") {
            let mut one = fixture::pending();
            one.items[0].pool = a.clone();
            let mut two = fixture::pending();
            two.items[0].pool = b.clone();
            prop_assert_eq!(a == b, one.compute_digest() == two.compute_digest());
        }
    }
}
