//! Where every record should stand in the indexes, from the records alone: compared, and made so.
//!
//! Only names under `caio:idx:` are touched. What cannot be read is listed and left as it is. Others may
//! write meanwhile: a place is made, or taken away, only while its record asks for just that.

use std::collections::HashSet;

use async_trait::async_trait;
use caio_core::batch::Batch;
use caio_core::draft::Draft;
use caio_core::suppression::Suppression;
use caio_core::{EmailKey, IdSource};
use caio_state::copy::Digest;
use caio_state::{
    CommitOutcome, Guard, Key, Range, Record, Sink, StateStore, Txn, TxnId, Version, Write,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Digest as _;

use crate::access::Token;
use crate::batches::put_batch;
use crate::cadence::Enrolment;
use crate::error::Result;
use crate::history::Event;
use crate::inbox::StoredEvent;
use crate::leads::LeadRecord;
use crate::ledger::LedgerEntry;
use crate::notify::Alert;
use crate::{records, suppress};

/// Beginning of the names of our indexes.
const OURS: &str = "caio:idx:";

/// Compares a store's indexes with its records.
#[derive(Debug, Clone, Copy)]
pub struct Reindex<'a> {
    /// The store.
    pub store: &'a dyn StateStore,
    /// Ids of transactions.
    pub ids: &'a dyn IdSource,
    /// Look and report; write nothing.
    pub dry_run: bool,
}

/// What was found, and mended unless it was a dry run.
#[derive(Debug, Default, Serialize)]
pub struct Drift {
    /// How much the store holds.
    pub holds: Digest,
    /// Places that records should have and did not.
    pub missing: u64,
    /// Places that no record asks for.
    pub stale: u64,
    /// Records that are not what their name says.
    pub unreadable: Vec<Unreadable>,
    /// Places that were made: of the missing ones, those that their records still asked for.
    #[serde(skip)]
    pub made: u64,
}

/// A record that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// Its name.
    pub key: String,
    /// What is wrong.
    pub reason: String,
}

impl Drift {
    /// Records and indexes say the same.
    pub fn is_none(&self) -> bool {
        self.missing == 0 && self.stale == 0 && self.unreadable.is_empty()
    }
}

impl Reindex<'_> {
    /// Looks at everything, and puts right what is not.
    ///
    /// # Errors
    /// When the store cannot list everything, or fails.
    pub async fn run(&self) -> Result<Drift> {
        self.over(Families::All).await
    }

    /// The same for leads, their statuses and what they stand in, and nothing else: what the list of
    /// leads is read from.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn leads(&self) -> Result<Drift> {
        self.over(Families::Leads).await
    }

    async fn over(&self, families: Families) -> Result<Drift> {
        let mut look = Look::default();
        self.read(families, &mut look).await?;
        let mut drift = look.drift;
        drift.missing = look.expected.len() as u64;
        drift.stale = look.stale.len() as u64;
        if self.dry_run {
            return Ok(drift);
        }
        let stale = look
            .stale
            .into_iter()
            .map(|(index, key)| (key.clone(), Write::Unindex { index, key }));
        self.mend(stale.collect()).await?;
        if !look.expected.is_empty() {
            let mut find = Find {
                expected: look.expected,
                writes: Vec::new(),
            };
            self.read(families, &mut find).await?;
            drift.made = self.mend(find.writes).await?;
        }
        Ok(drift)
    }

    /// Gives documents, then places, to `sink`.
    async fn read(&self, families: Families, sink: &mut dyn Sink) -> Result<()> {
        const PAGE: usize = 500;
        if matches!(families, Families::All) {
            return Ok(self.store.export(sink).await?);
        }
        for prefix in ["caio:lead:", "caio:status:"] {
            let mut after: Option<Key> = None;
            loop {
                let page = self.store.scan(prefix, after.as_ref(), PAGE).await?;
                let documents = page.items.into_iter().map(|(key, found)| Record::Document {
                    key,
                    value: found.value,
                    expires: None,
                });
                sink.take(documents.collect()).await?;
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        for index in [
            records::LEAD_INDEX,
            records::PROFILE_INDEX,
            records::STATUS_INDEX,
        ] {
            let (all, mut after) = (Range::default(), None);
            loop {
                let page = self.store.range(index, &all, after.as_ref(), PAGE).await?;
                let places = page.items.into_iter().map(|entry| Record::Place {
                    index: index.to_owned(),
                    order: entry.order,
                    key: entry.key,
                });
                sink.take(places.collect()).await?;
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Writes places of records that are what they were when this looked at them; how many.
    pub(crate) async fn mend(&self, writes: Vec<(Key, Write)>) -> Result<u64> {
        let mut mended = 0;
        for chunk in writes.chunks(250) {
            let keys: Vec<Key> = chunk.iter().map(|(key, _)| key.clone()).collect();
            let found = self.store.get(&keys).await?;
            let txns = chunk.iter().zip(found).filter_map(|((key, write), found)| {
                let places = found.as_ref().and_then(|it| places_of(key, &it.value));
                let places = places.and_then(std::result::Result::ok).unwrap_or_default();
                // A record that was written since has its place: where it asks for, not where it stood.
                let still_asked = match write {
                    Write::Unindex { index, .. } => !places.iter().any(|it| is_in(it, index)),
                    write => places.contains(write),
                };
                still_asked.then(|| Txn {
                    id: TxnId(self.ids.id()),
                    guards: vec![guard(key, found.map(|found| found.version))],
                    writes: vec![write.clone()],
                })
            });
            let txns: Vec<Txn> = txns.collect();
            let outcomes = self.store.commit_many(&txns).await?;
            let committed = outcomes
                .iter()
                .filter(|it| **it == CommitOutcome::Committed);
            mended += committed.count() as u64;
        }
        Ok(mended)
    }
}

/// What is looked at.
#[derive(Debug, Clone, Copy)]
enum Families {
    All,
    Leads,
}

/// Whether a write puts something into that index.
fn is_in(write: &Write, wanted: &str) -> bool {
    matches!(write, Write::Index { index, .. } if index == wanted)
}

fn guard(key: &Key, version: Option<Version>) -> Guard {
    match version {
        Some(version) => Guard::Unchanged(key.clone(), version),
        None => Guard::Absent(key.clone()),
    }
}

/// What the place of a lead's status is made of.
#[derive(Deserialize)]
struct Status {
    email: EmailKey,
    #[serde(default)]
    updated_at: Value,
}

/// The places of a record; `None` for one that stands in no index.
fn places_of(key: &Key, value: &[u8]) -> Option<std::result::Result<Vec<Write>, String>> {
    fn read<T: DeserializeOwned>(
        key: &Key,
        value: &[u8],
        places: impl FnOnce(&T) -> Result<(Key, Vec<Write>)>,
    ) -> std::result::Result<Vec<Write>, String> {
        let record: T = serde_json::from_slice(value).map_err(|error| error.to_string())?;
        let (inside, writes) = places(&record).map_err(|error| error.to_string())?;
        if inside != *key {
            return Err(format!("the record inside is `{inside}`"));
        }
        let places = writes
            .into_iter()
            .filter(|it| matches!(it, Write::Index { index, .. } if index.starts_with(OURS)));
        Ok(places.collect())
    }
    let (family, _) = key.as_str().strip_prefix("caio:")?.split_once(':')?;
    Some(match family {
        "archive" if key.as_str().starts_with("caio:archive:batch:") => {
            read(key, value, |batch: &Batch| {
                let place = records::archived_place(batch);
                Ok((records::archived_batch(&batch.id), vec![place]))
            })
        }
        "batch" => read(key, value, |batch: &Batch| {
            Ok((records::batch(&batch.id), put_batch(batch, None)?))
        }),
        "cadence" => read(key, value, |enrolment: &Enrolment| {
            Ok((enrolment.key(), enrolment.writes(None)?))
        }),
        "draft" => read(key, value, |draft: &Draft| {
            Ok((records::draft(&draft.id), records::put_draft(draft, None)?))
        }),
        "event" => read(key, value, |event: &Event| {
            Ok((records::event(&event.id), event.writes()?))
        }),
        "lead" => read(key, value, |record: &LeadRecord| {
            Ok((records::lead(&record.lead.key), records::put_lead(record)?))
        }),
        "ledger" => read(key, value, |entry: &LedgerEntry| {
            Ok((entry.key(), entry.writes()?))
        }),
        "outbox" => read(key, value, |alert: &Alert| {
            Ok((records::alert(&alert.id), alert.writes()?))
        }),
        "status" => read(key, value, |status: &Status| {
            let key = records::lead_status(&status.email);
            let place = records::status_place(&key, status.updated_at.as_str());
            Ok((key, vec![place]))
        }),
        "suppress" => read(key, value, |entry: &Suppression| {
            Ok((suppress::key(&entry.scope), vec![suppress::place(entry)]))
        }),
        "token" => read(key, value, |token: &Token| {
            Ok((records::token(&token.id), token.writes()?))
        }),
        "webhook" => read(key, value, |event: &StoredEvent| {
            Ok((event.key(), event.writes(None)?))
        }),
        _ => return None,
    })
}

/// A place in 16 bytes: a store may hold more of them than fit into memory.
fn short(index: &str, order: &str, key: &Key) -> [u8; 16] {
    let text = format!("{} {} {index}{order}{key}", index.len(), order.len());
    let mut short = [0; 16];
    short.copy_from_slice(&sha2::Sha256::digest(text)[..16]);
    short
}

/// The first look: what is asked for, then what is there.
#[derive(Default)]
struct Look {
    drift: Drift,
    expected: HashSet<[u8; 16]>,
    stale: Vec<(String, Key)>,
}

#[async_trait]
impl Sink for Look {
    async fn take(&mut self, records: Vec<Record>) -> caio_state::Result<()> {
        for record in &records {
            match record {
                Record::Document { key, value, .. } => match places_of(key, value) {
                    Some(Ok(places)) => self.expected.extend(places.iter().filter_map(hash)),
                    Some(Err(reason)) => self.drift.unreadable.push(Unreadable {
                        key: key.to_string(),
                        reason,
                    }),
                    None => {}
                },
                Record::Place { index, order, key }
                    if index.starts_with(OURS)
                        && !self.expected.remove(&short(index, order, key)) =>
                {
                    self.stale.push((index.clone(), key.clone()));
                }
                _ => {}
            }
        }
        self.drift.holds.take(records).await
    }
}

fn hash(write: &Write) -> Option<[u8; 16]> {
    match write {
        Write::Index { index, order, key } => Some(short(index, order, key)),
        _ => None,
    }
}

/// The second look: the writes of the places that are missing.
struct Find {
    expected: HashSet<[u8; 16]>,
    writes: Vec<(Key, Write)>,
}

#[async_trait]
impl Sink for Find {
    async fn take(&mut self, records: Vec<Record>) -> caio_state::Result<()> {
        for record in records {
            let Record::Document { key, value, .. } = record else {
                continue;
            };
            if let Some(Ok(places)) = places_of(&key, &value) {
                let missing = places
                    .into_iter()
                    .filter(|place| hash(place).is_some_and(|it| self.expected.contains(&it)));
                self.writes
                    .extend(missing.map(|place| (key.clone(), place)));
            }
        }
        Ok(())
    }
}
