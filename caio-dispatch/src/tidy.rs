//! What is long over leaves the way of what is not. Nothing that gates a send is touched: claims, the
//! ledger, touches and suppressions stay for good.
//!
//! Finished batches, ours and the Python system's, go under `caio:archive:`, whole; its daily records,
//! which it writes without an expiry, are removed, and so are events of webhooks that have had their
//! effect.

use caio_core::batch::{Batch, BatchStatus};
use caio_core::pytext::loads;
use caio_core::{Clock, IdSource};
use caio_state::{CommitOutcome, Guard, Key, Range, StateStore, Txn, TxnId, Versioned, Write};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::error::Result;
use crate::inbox::EventState;
use crate::records;

/// How long a finished batch, and a day's record, are in the way of nobody.
pub const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Statuses in which a batch is over.
const OVER: &[BatchStatus] = &[
    BatchStatus::Executed,
    BatchStatus::Expired,
    BatchStatus::Failed,
    BatchStatus::Partial,
    BatchStatus::Rejected,
];

/// Records looked at in one round trip.
const PAGE: usize = 250;

/// Puts away what is long over.
#[derive(Debug, Clone, Copy)]
pub struct Tidy<'a> {
    /// The store.
    pub store: &'a dyn StateStore,
    /// Today.
    pub clock: &'a dyn Clock,
    /// Ids of transactions.
    pub ids: &'a dyn IdSource,
    /// Look and report; write nothing.
    pub dry_run: bool,
}

/// What was put away, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tidied {
    /// Batches of ours.
    pub batches: u64,
    /// Batches of the Python system.
    pub python_batches: u64,
    /// Daily records of the Python system, which were removed.
    pub days: u64,
    /// Events of webhooks that have had their effect, which were removed: what they said stands in
    /// the leads' records.
    pub webhooks: u64,
}

impl Tidy<'_> {
    /// Puts away everything whose time has come.
    ///
    /// # Errors
    /// When the store fails, or cannot list everything.
    pub async fn run(&self) -> Result<Tidied> {
        Ok(Tidied {
            batches: self.batches().await?,
            python_batches: self.python_batches().await?,
            days: self.days().await?,
            webhooks: self.webhooks().await?,
        })
    }

    /// The end of the time that is over.
    fn before(&self) -> Timestamp {
        let now = self.clock.now();
        now.checked_sub(KEPT).unwrap_or(Timestamp::MIN)
    }

    async fn batches(&self) -> Result<u64> {
        let until = caio_core::time::rfc3339(self.before());
        let mut done = 0;
        for status in OVER {
            let index = records::batch_index(*status);
            let range = Range {
                until: Some(until.clone()),
                ..Range::default()
            };
            let mut after = None;
            loop {
                let page = self
                    .store
                    .range(&index, &range, after.as_ref(), PAGE)
                    .await?;
                let keys: Vec<Key> = page.items.into_iter().map(|entry| entry.key).collect();
                let mut txns = Vec::new();
                for (key, found) in keys.iter().zip(self.store.get(&keys).await?) {
                    let Some(found) = found else { continue };
                    let batch: Option<Batch> = serde_json::from_slice(&found.value).ok();
                    let Some(batch) = batch.filter(|batch| batch.status == *status) else {
                        continue;
                    };
                    let archived = records::archived_batch(&batch.id);
                    let mut txn = self.away(key, archived.clone(), found);
                    txn.writes.push(Write::Unindex {
                        index: index.clone(),
                        key: key.clone(),
                    });
                    txn.writes.push(records::archived_place(&batch));
                    txns.push(txn);
                }
                done += self.commit(txns).await?;
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        Ok(done)
    }

    async fn python_batches(&self) -> Result<u64> {
        let before = self.before();
        self.foreign("operator:batch:", |key, found| {
            let record = object(&found.value)?;
            let text = |member: &str| record.get(member).and_then(Value::as_str).unwrap_or("");
            let is_over = matches!(text("status"), "executed" | "rejected" | "expired");
            let created: Timestamp = text("created_at").parse().ok()?;
            if !is_over || created >= before {
                return None;
            }
            let archived = Key::new(&["caio", "archive", key.as_str()]);
            Some(self.away(key, archived, found))
        })
        .await
    }

    async fn days(&self) -> Result<u64> {
        let before = self.before();
        self.foreign("operator:state:", |key, found| {
            let day = key.as_str().strip_prefix("operator:state:")?;
            let day: jiff::civil::Date = day.parse().ok()?;
            let day = day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
            (day < before).then(|| Txn {
                id: TxnId(self.ids.id()),
                guards: vec![Guard::Unchanged(key.clone(), found.version)],
                writes: vec![Write::Delete(key.clone())],
            })
        })
        .await
    }

    /// Events that are over hold personal data and are of no more use; those that a person has to
    /// look at stay.
    async fn webhooks(&self) -> Result<u64> {
        let range = Range {
            until: Some(caio_core::time::rfc3339(self.before())),
            ..Range::default()
        };
        let mut done = 0;
        for state in [EventState::Applied, EventState::Dismissed] {
            let index = records::webhook_index(state);
            let mut after = None;
            loop {
                let page = self
                    .store
                    .range(&index, &range, after.as_ref(), PAGE)
                    .await?;
                let keys: Vec<Key> = page.items.into_iter().map(|entry| entry.key).collect();
                let found = self.store.get(&keys).await?;
                let txns = keys.iter().zip(found).filter_map(|(key, found)| {
                    let unindex = |index: &str| Write::Unindex {
                        index: index.to_owned(),
                        key: key.clone(),
                    };
                    Some(Txn {
                        id: TxnId(self.ids.id()),
                        guards: vec![Guard::Unchanged(key.clone(), found?.version)],
                        writes: vec![
                            Write::Delete(key.clone()),
                            unindex(&index),
                            unindex(records::WEBHOOK_INDEX),
                        ],
                    })
                });
                done += self.commit(txns.collect()).await?;
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        Ok(done)
    }

    async fn foreign(
        &self,
        prefix: &str,
        decide: impl Fn(&Key, Versioned) -> Option<Txn>,
    ) -> Result<u64> {
        let (mut done, mut after) = (0, None);
        loop {
            let page = self.store.scan(prefix, after.as_ref(), PAGE).await?;
            let txns = page
                .items
                .into_iter()
                .filter_map(|(key, found)| decide(&key, found));
            done += self.commit(txns.collect()).await?;
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(done),
            }
        }
    }

    /// Puts a record under another name, if it is still the one that was read.
    fn away(&self, key: &Key, archived: Key, found: Versioned) -> Txn {
        Txn {
            id: TxnId(self.ids.id()),
            guards: vec![Guard::Unchanged(key.clone(), found.version)],
            writes: vec![
                Write::Put {
                    key: archived,
                    value: found.value,
                    expires_in: None,
                },
                Write::Delete(key.clone()),
            ],
        }
    }

    async fn commit(&self, txns: Vec<Txn>) -> Result<u64> {
        if self.dry_run || txns.is_empty() {
            return Ok(txns.len() as u64);
        }
        let outcomes = self.store.commit_many(&txns).await?;
        let done = outcomes
            .iter()
            .filter(|outcome| **outcome == CommitOutcome::Committed);
        Ok(done.count() as u64)
    }
}

fn object(value: &[u8]) -> Option<Value> {
    loads(std::str::from_utf8(value).ok()?).filter(Value::is_object)
}
