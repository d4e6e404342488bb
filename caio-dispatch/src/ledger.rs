//! The ledger: an entry is written before each provider call and says afterwards what became of it.
//!
//! `intended -> accepted | rejected | not_sent | unknown`. An entry left at `intended` by a crash
//! counts as unknown: the provider is asked, and only what is proven not delivered is tried again.
//!
//! What the provider reports later ([`Later`]) stands beside the state and never changes it: an
//! upload to a draft campaign is accepted long before it is sent. Limits count at the upload, ramp
//! days and cadence clocks at `sent_at`.

use caio_core::batch::BatchItem;
use caio_core::identity::hex;
use caio_core::terms::{Medium, Provider, Step};
use caio_core::time::rfc3339;
use caio_state::{Key, Page, Range, RangeEntry, StateStore, StateStoreExt, Write};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use caio_core::webhook::Later;

use crate::channel::{Container, Outcome};
use crate::error::{DispatchError, Result};
use crate::migrate::LEGACY_BATCH;
use crate::records;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
    /// When it left the provider, RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<String>,
    /// Its follow-up has begun; only of a first e-mail.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub followed: bool,
    /// When it bounced, RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounced_at: Option<String>,
    /// When a person answered it, RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replied_at: Option<String>,
}

impl LedgerEntry {
    /// The entry of a delivery that is claimed at `at`: its id, batch and run; where it goes and what was
    /// sealed; the limit windows that hold a reservation for it.
    pub fn intended(
        (id, batch, run): (String, String, String),
        (container, item): (Container, BatchItem),
        reservations: Vec<String>,
        at: Timestamp,
    ) -> Self {
        Self {
            id,
            batch,
            run,
            container,
            item,
            state: DeliveryState::Intended,
            receipt: None,
            reason: String::new(),
            reservations,
            intended_at: rfc3339(at),
            settled_at: None,
            sent_at: None,
            followed: false,
            bounced_at: None,
            replied_at: None,
        }
    }

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

    /// Where it stands in a word for people: what a provider took is drafted until it has left.
    pub fn word(&self) -> &'static str {
        match self.state {
            DeliveryState::Accepted if self.replied_at.is_some() => "replied",
            DeliveryState::Accepted if self.bounced_at.is_some() => "bounced",
            DeliveryState::Accepted if self.sent().is_some() => "sent",
            DeliveryState::Accepted => "drafted",
            DeliveryState::Intended => "intended",
            DeliveryState::NotSent => "not_sent",
            DeliveryState::Rejected => "rejected",
            DeliveryState::Unknown => "unknown",
        }
    }

    /// The entry knowing that `fact` came to be at `at`. The earliest report of each counts, so that
    /// neither order nor repetition of reports matters.
    #[must_use]
    pub fn learned(&self, fact: Later, at: Timestamp) -> Self {
        let mut entry = self.clone();
        let known = match fact {
            Later::Bounced => &mut entry.bounced_at,
            Later::Replied => &mut entry.replied_at,
            Later::Sent => &mut entry.sent_at,
        };
        let at = rfc3339(at);
        if known.as_ref().is_none_or(|known| at < *known) {
            *known = Some(at);
        }
        entry
    }

    /// Whether the provider may have it: intended, accepted and unknown ones.
    pub fn may_be_out(&self) -> bool {
        matches!(
            self.state,
            DeliveryState::Accepted | DeliveryState::Intended | DeliveryState::Unknown
        )
    }

    /// When it reached its recipient's side, as far as is known. GHL sends what it accepts at once;
    /// the others send when a person starts the campaign, and say so.
    pub fn sent(&self) -> Option<&str> {
        let at_once = self.container.provider == Provider::Ghl
            && self.state == DeliveryState::Accepted
            && self.batch != LEGACY_BATCH;
        let settled = self.settled_at.as_deref().filter(|_| at_once);
        self.sent_at.as_deref().or(settled)
    }

    /// When it was sent, of a first e-mail whose follow-up has not begun.
    pub fn begins_follow_up(&self) -> Option<&str> {
        let is_first = self.item.step == Step::FIRST && self.item.medium == Medium::Email;
        self.sent().filter(|_| is_first && !self.followed)
    }

    /// Key of its record.
    pub fn key(&self) -> Key {
        records::ledger(&self.id)
    }

    /// Writes that store it for the first time, with its index entries.
    pub fn writes(&self) -> Result<Vec<Write>> {
        let key = self.key();
        let order = format!("{}|{}", self.intended_at, self.id);
        let indexes = [
            records::LEDGER_INDEX.to_owned(),
            records::ledger_of_batch(&self.batch),
            records::ledger_of_person(&self.item.recipient),
        ];
        let mut writes = self.rewrites()?;
        writes.extend(indexes.map(|index| Write::Index {
            index,
            order: order.clone(),
            key: key.clone(),
        }));
        Ok(writes)
    }

    /// Writes that store what became of it: where it stands in the indexes of all entries never changes.
    pub fn rewrites(&self) -> Result<Vec<Write>> {
        let key = self.key();
        let mut writes = vec![Write::Put {
            key: key.clone(),
            value: serde_json::to_vec(self)?,
            expires_in: None,
        }];
        if let Some(sent) = self.begins_follow_up() {
            writes.push(Write::Index {
                index: records::SENT_INDEX.to_owned(),
                order: format!("{sent}|{}", self.id),
                key,
            });
        }
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

/// One entry.
pub async fn one(store: &dyn StateStore, delivery: &str) -> Result<LedgerEntry> {
    match store.get_json(&records::ledger(delivery)).await? {
        Some((entry, _)) => Ok(entry),
        None => Err(DispatchError::NotFound {
            what: "delivery",
            id: delivery.to_owned(),
        }),
    }
}

/// Whose entries somebody looks for.
#[derive(Debug, Clone, Copy)]
pub enum Of<'a> {
    /// Everybody's.
    All,
    /// Those of one batch.
    Batch(&'a str),
    /// Those about one person.
    Person(&'a caio_core::EmailKey),
}

/// A page of entries, newest first.
pub async fn page(
    store: &dyn StateStore,
    of: Of<'_>,
    after: Option<&RangeEntry>,
    limit: usize,
) -> Result<Page<LedgerEntry, RangeEntry>> {
    let index = match of {
        Of::All => records::LEDGER_INDEX.to_owned(),
        Of::Batch(batch) => records::ledger_of_batch(batch),
        Of::Person(person) => records::ledger_of_person(person),
    };
    Ok(store.newest_json(&index, after, limit).await?)
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

#[cfg(test)]
mod tests {
    use caio_core::terms::Tier;
    use proptest::prelude::*;

    use super::*;

    fn entry() -> LedgerEntry {
        LedgerEntry {
            id: "d".to_owned(),
            batch: "b".to_owned(),
            run: "r".to_owned(),
            container: Container {
                name: "c".to_owned(),
                provider: Provider::Instantly,
                pool: String::new(),
                tier: Tier::One,
            },
            item: BatchItem {
                draft: "dr".to_owned(),
                recipient: caio_core::EmailKey::parse("kim@example.com").unwrap(),
                medium: Medium::Email,
                provider: Provider::Instantly,
                pool: String::new(),
                tier: Tier::One,
                step: Step(1),
                content: String::new(),
            },
            state: DeliveryState::Accepted,
            receipt: None,
            reason: String::new(),
            reservations: Vec::new(),
            intended_at: "2026-03-02T11:00:00.000000Z".to_owned(),
            settled_at: None,
            sent_at: None,
            followed: false,
            bounced_at: None,
            replied_at: None,
        }
    }

    #[test]
    fn an_entry_without_later_facts_reads_as_before_and_an_outcome_keeps_them() {
        let text = serde_json::to_string(&entry()).unwrap();
        assert!(!text.contains("sent_at") && !text.contains("bounced_at"));
        assert_eq!(serde_json::from_str::<LedgerEntry>(&text).unwrap(), entry());
        let at: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
        let sent = entry().learned(Later::Sent, at);
        assert_eq!(sent.state, DeliveryState::Accepted);
        assert_eq!(sent.sent_at.as_deref(), Some("2026-03-02T12:00:00.000000Z"));
        let outcome = Outcome::Unknown {
            reason: String::new(),
        };
        assert_eq!(sent.after(&outcome, "later").sent_at, sent.sent_at);
    }

    #[test]
    fn an_upload_is_drafted_and_what_ghl_took_is_sent() {
        let taken = Outcome::Accepted {
            receipt: "m".to_owned(),
        };
        let at = "2026-03-02T12:00:00.000000Z";
        let upload = entry().after(&taken, at);
        assert_eq!(
            (upload.word(), upload.sent_at.as_deref()),
            ("drafted", None)
        );
        let sent = upload.learned(Later::Sent, Timestamp::UNIX_EPOCH);
        assert_eq!(sent.word(), "sent");
        let mut ghl = entry();
        ghl.container.provider = Provider::Ghl;
        let ghl = ghl.after(&taken, at);
        assert_eq!((ghl.word(), ghl.sent()), ("sent", Some(at)));
        let lost = Outcome::Unknown {
            reason: String::new(),
        };
        assert_eq!(entry().after(&lost, at).word(), "unknown");
    }

    proptest! {
        #[test]
        fn facts_in_any_order_and_repeated_say_the_same(
            facts in prop::collection::vec((0..3_usize, -9_999_i64..2_000_000_000), 1..8),
            turn in any::<prop::sample::Index>(),
        ) {
            let kinds = [Later::Bounced, Later::Replied, Later::Sent];
            let told = |facts: &[(usize, i64)]| {
                facts.iter().fold(entry(), |entry, (kind, at)| {
                    entry.learned(kinds[*kind], Timestamp::from_second(*at).unwrap())
                })
            };
            let expected = told(&facts);
            let mut other = facts.clone();
            other.rotate_left(turn.index(facts.len()));
            other.extend_from_slice(&facts);
            other.reverse();
            prop_assert_eq!(told(&other), expected.clone());
            let earliest = facts.iter().filter(|it| it.0 == 2).map(|it| it.1).min();
            let earliest = earliest.map(|at| rfc3339(Timestamp::from_second(at).unwrap()));
            prop_assert_eq!(expected.sent_at, earliest);
        }
    }
}
