//! From any store into any other: created only where there is nothing, compared, read back.
//!
//! What differs is a conflict with both values, and stays. Running it again changes nothing, so one
//! that was interrupted is simply run again. Both stores should rest meanwhile.

use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;
use caio_core::IdSource;
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::error::Result;
use crate::ext::StateStoreExt;
use crate::key::Key;
use crate::record::{Record, Sink};
use crate::store::{Range, StateStore, Versioned};
use crate::txn::{CommitOutcome, Guard, Txn, TxnId, Write};

/// Records created by one transaction, where none of them is there yet.
const TOGETHER: usize = 250;

/// What became of one kind of record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Offered.
    pub found: u64,
    /// Created, or would be.
    pub created: u64,
    /// Were there, and what was offered knew more: united with it.
    pub united: u64,
    /// Were there, and said as much.
    pub present: u64,
    /// Were there and differ; left as they are.
    pub conflicts: u64,
}

/// A record that stands in the store with another value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// The record.
    pub key: String,
    /// Where the other value comes from.
    pub origin: String,
    /// Value in the store, which stays.
    pub store: String,
    /// Value that was offered.
    pub offered: String,
}

impl Conflict {
    /// Two values of one record.
    pub fn new(key: &Key, origin: &str, store: Option<&[u8]>, offered: &[u8]) -> Self {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        Self {
            key: key.to_string(),
            origin: origin.to_owned(),
            store: store.map_or_else(|| "(absent)".to_owned(), text),
            offered: text(offered),
        }
    }
}

/// What a copy did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// By kind of record.
    pub kinds: BTreeMap<&'static str, Tally>,
    /// Records with two values.
    pub conflicts: Vec<Conflict>,
    /// What was not copied, by reason.
    pub left: BTreeMap<&'static str, u64>,
    /// Records read back and compared.
    pub verified: u64,
    /// What was offered.
    pub offered: Digest,
}

impl Report {
    /// Nothing asks for a person.
    pub fn is_clean(&self) -> bool {
        self.conflicts.is_empty()
    }
}

/// How much a store holds, and a digest of it that does not depend on the order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Digest {
    /// Documents.
    pub documents: u64,
    /// Counters.
    pub counters: u64,
    /// Keys in indexes.
    pub places: u64,
    /// The sum of the first 16 bytes of each record's SHA-256.
    #[serde(serialize_with = "as_hex")]
    pub digest: u128,
}

fn as_hex<S: serde::Serializer>(digest: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{digest:032x}"))
}

impl Digest {
    /// The digest with one record more. What belongs to one store alone, and its time, do not count.
    fn add(&mut self, record: &Record) {
        let mut hash = Sha256::new();
        match record {
            Record::Document { key, value, .. } => {
                self.documents += 1;
                hash.update(format!("document {} {key} ", key.as_str().len()));
                hash.update(value);
            }
            Record::Counter { key, value, .. } => {
                self.counters += 1;
                hash.update(format!("counter {value} {key}"));
            }
            Record::Place { index, order, key } => {
                self.places += 1;
                let lengths = (index.len(), order.len());
                hash.update(format!("place {lengths:?} {index} {order} {key}"));
            }
        }
        let mut first = [0; 16];
        first.copy_from_slice(&hash.finalize()[..16]);
        self.digest = self.digest.wrapping_add(u128::from_be_bytes(first));
    }
}

#[async_trait]
impl Sink for Digest {
    async fn take(&mut self, records: Vec<Record>) -> Result<()> {
        records
            .iter()
            .filter(|record| belongs_elsewhere(record).is_none())
            .for_each(|record| self.add(record));
        Ok(())
    }
}

/// Why a record is no part of what is moved.
fn belongs_elsewhere(record: &Record) -> Option<&'static str> {
    let (Record::Document { key, .. } | Record::Counter { key, .. }) = record else {
        return None;
    };
    let name = key.as_str();
    if name.starts_with("locks:") {
        Some("locks of the Python system")
    } else if name == "caio:migrated" || name.starts_with("caio:legacy:") {
        Some("marks of another move")
    } else {
        None
    }
}

/// What ends while it is copied is not copied.
fn is_live(expires: Option<Timestamp>, now: Timestamp) -> bool {
    expires.is_none_or(|expires| expires > now)
}

/// Takes records into a store.
pub struct Copy<'a> {
    to: &'a dyn StateStore,
    ids: &'a dyn IdSource,
    origin: String,
    dry_run: bool,
    progress: &'a (dyn Fn(u64) + Sync),
    taken: u64,
    report: Report,
    /// Documents that differ: their places are not those of the other value.
    differing: HashSet<Key>,
}

impl std::fmt::Debug for Copy<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Copy")
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

impl<'a> Copy<'a> {
    /// A copy into `to` of what comes from `origin`; a dry run looks and writes nothing. `progress`
    /// hears how many records were taken so far.
    pub fn new(
        to: &'a dyn StateStore,
        ids: &'a dyn IdSource,
        origin: &str,
        dry_run: bool,
        progress: &'a (dyn Fn(u64) + Sync),
    ) -> Self {
        Self {
            to,
            ids,
            origin: origin.to_owned(),
            dry_run,
            progress,
            taken: 0,
            report: Report::default(),
            differing: HashSet::new(),
        }
    }

    /// What was done.
    pub fn report(self) -> Report {
        self.report
    }

    fn leave(&mut self, why: &'static str, count: u64) {
        *self.report.left.entry(why).or_default() += count;
    }

    async fn documents(
        &mut self,
        mut records: Vec<(Key, Vec<u8>, Option<Timestamp>)>,
    ) -> Result<()> {
        let now = self.to.now().await?;
        records.retain(|(_, _, expires)| is_live(*expires, now));
        let keys: Vec<Key> = records.iter().map(|(key, ..)| key.clone()).collect();
        let before = self.to.get(&keys).await?;
        let mut txns = Vec::new();
        for ((key, value, expires), found) in records.iter().zip(&before) {
            if found.is_none() {
                let put = Write::Put {
                    key: key.clone(),
                    value: value.clone(),
                    expires_in: expires.map(|at| at.duration_since(now)),
                };
                txns.push((Guard::Absent(key.clone()), vec![put]));
            }
        }
        let created = self.create(txns).await?;
        let after = if self.dry_run {
            before
        } else {
            self.to.get(&keys).await?
        };
        let mut tally = Tally {
            found: records.len() as u64,
            created,
            ..Tally::default()
        };
        for ((key, value, _), found) in records.iter().zip(after) {
            match found {
                Some(found) if found.value == *value => self.report.verified += 1,
                None if self.dry_run => {}
                found => {
                    tally.conflicts += 1;
                    self.differing.insert(key.clone());
                    let store = found.map(|found: Versioned| found.value);
                    let conflict = Conflict::new(key, &self.origin, store.as_deref(), value);
                    self.report.conflicts.push(conflict);
                }
            }
        }
        self.count("documents", tally);
        Ok(())
    }

    async fn counters(&mut self, mut records: Vec<(Key, u64, Option<Timestamp>)>) -> Result<()> {
        if !self.to.capabilities().counters {
            self.leave(
                "counters, which the store cannot keep",
                records.len() as u64,
            );
            return Ok(());
        }
        let now = self.to.now().await?;
        records.retain(|(_, _, expires)| is_live(*expires, now));
        let keys: Vec<Key> = records.iter().map(|(key, ..)| key.clone()).collect();
        let before = self.to.counters(&keys).await?;
        let mut txns = Vec::new();
        for ((key, value, expires), found) in records.iter().zip(&before) {
            if *found == 0 && *value > 0 {
                // Holds only while the counter stands at 0.
                let guard = Guard::Ceiling {
                    counter: key.clone(),
                    add: *value,
                    ceiling: *value,
                };
                let add = Write::Add {
                    counter: key.clone(),
                    amount: i64::try_from(*value).unwrap_or(i64::MAX),
                    expires_in: expires.map(|at| at.duration_since(now)),
                };
                txns.push((guard, vec![add]));
            }
        }
        let created = self.create(txns).await?;
        let after = if self.dry_run {
            before
        } else {
            self.to.counters(&keys).await?
        };
        let mut tally = Tally {
            found: records.len() as u64,
            created,
            ..Tally::default()
        };
        for ((key, value, _), found) in records.iter().zip(after) {
            if found == *value {
                self.report.verified += 1;
            } else if !(self.dry_run && found == 0) {
                tally.conflicts += 1;
                let (store, offered) = (found.to_string(), value.to_string());
                let store = Some(store.as_bytes());
                let conflict = Conflict::new(key, &self.origin, store, offered.as_bytes());
                self.report.conflicts.push(conflict);
            }
        }
        self.count("counters", tally);
        Ok(())
    }

    /// Places of one index, in order.
    async fn places(&mut self, index: &str, places: Vec<(String, Key)>) -> Result<()> {
        if !self.to.capabilities().indexes {
            self.leave(
                "places in indexes, which the store cannot keep",
                places.len() as u64,
            );
            return Ok(());
        }
        let offered = places.len() as u64;
        let is_same = |(_, key): &(String, Key)| !self.differing.contains(key);
        let places: Vec<(String, Key)> = places.into_iter().filter(is_same).collect();
        let skipped = offered - places.len() as u64;
        if skipped > 0 {
            self.leave("places of documents that differ", skipped);
        }
        let missing = self.missing(index, &places).await?;
        let create = missing.iter().map(|(order, key)| Write::Index {
            index: index.to_owned(),
            order: order.clone(),
            key: key.clone(),
        });
        if !self.dry_run {
            let txns: Vec<Txn> = create
                .collect::<Vec<_>>()
                .chunks(TOGETHER)
                .map(|writes| self.txn(Vec::new(), writes.to_vec()))
                .collect();
            self.to.commit_many(&txns).await?;
            let still = self.missing(index, &places).await?;
            for (order, key) in &still {
                let what = Key::new(&[index, order]);
                let conflict = Conflict::new(&what, &self.origin, None, key.as_str().as_bytes());
                self.report.conflicts.push(conflict);
            }
            self.report.verified += (places.len() - still.len()) as u64;
        }
        let tally = Tally {
            found: offered,
            created: missing.len() as u64,
            ..Tally::default()
        };
        self.count("places", tally);
        Ok(())
    }

    /// Those of `places` that the index does not have.
    async fn missing(&self, index: &str, places: &[(String, Key)]) -> Result<Vec<(String, Key)>> {
        let (Some((first, _)), Some((last, _))) = (places.first(), places.last()) else {
            return Ok(Vec::new());
        };
        let range = Range {
            from: Some(first.clone()),
            until: None,
            descending: false,
        };
        let mut there = HashSet::new();
        let mut after = None;
        loop {
            let page = self
                .to
                .range(index, &range, after.as_ref(), 2 * TOGETHER)
                .await?;
            let is_beyond = page.items.last().is_none_or(|entry| entry.order > *last);
            there.extend(page.items.into_iter().map(|entry| (entry.order, entry.key)));
            match page.next {
                Some(next) if !is_beyond => after = Some(next),
                _ => break,
            }
        }
        let missing = places.iter().filter(|place| !there.contains(place));
        Ok(missing.cloned().collect())
    }

    /// Commits many at once where all guards hold, else one by one; how many were committed.
    async fn create(&self, wanted: Vec<(Guard, Vec<Write>)>) -> Result<u64> {
        if self.dry_run {
            return Ok(wanted.len() as u64);
        }
        let together = if self.to.capabilities().multi_document {
            TOGETHER
        } else {
            1
        };
        create_absent(self.to, self.ids, wanted, together).await
    }

    fn txn(&self, guards: Vec<Guard>, writes: Vec<Write>) -> Txn {
        Txn {
            id: TxnId(self.ids.id()),
            guards,
            writes,
        }
    }

    fn count(&mut self, kind: &'static str, tally: Tally) {
        let all = self.report.kinds.entry(kind).or_default();
        all.found += tally.found;
        all.created += tally.created;
        all.conflicts += tally.conflicts;
        all.present = all.found - all.created - all.conflicts;
    }
}

/// Commits what is guarded by absence: `together` records in one transaction while nothing of them is
/// there, else each alone. Answers how many were committed.
pub async fn create_absent(
    store: &dyn StateStore,
    ids: &dyn IdSource,
    wanted: Vec<(Guard, Vec<Write>)>,
    together: usize,
) -> Result<u64> {
    let txn = |wanted: &[(Guard, Vec<Write>)]| Txn {
        id: TxnId(ids.id()),
        guards: wanted.iter().map(|(guard, _)| guard.clone()).collect(),
        writes: wanted
            .iter()
            .flat_map(|(_, writes)| writes.clone())
            .collect(),
    };
    let chunks: Vec<&[(Guard, Vec<Write>)]> = wanted.chunks(together.max(1)).collect();
    let txns: Vec<Txn> = chunks.iter().map(|chunk| txn(chunk)).collect();
    let mut created = 0;
    let mut alone = Vec::new();
    for (chunk, outcome) in chunks.iter().zip(commit_many_surely(store, &txns).await?) {
        match outcome {
            CommitOutcome::Committed => created += chunk.len() as u64,
            CommitOutcome::Refused { .. } if chunk.len() > 1 => {
                alone.extend(chunk.iter().map(|one| txn(std::slice::from_ref(one))));
            }
            CommitOutcome::Refused { .. } => {}
        }
    }
    let outcomes = commit_many_surely(store, &alone).await?;
    let committed = outcomes
        .iter()
        .filter(|it| **it == CommitOutcome::Committed);
    Ok(created + committed.count() as u64)
}

/// Sends transactions; where the answer was lost, each again with its id.
async fn commit_many_surely(store: &dyn StateStore, txns: &[Txn]) -> Result<Vec<CommitOutcome>> {
    if txns.is_empty() {
        return Ok(Vec::new());
    }
    match store.commit_many(txns).await {
        Err(crate::StoreError::Ambiguous { .. }) => {
            let mut outcomes = Vec::with_capacity(txns.len());
            for txn in txns {
                outcomes.push(store.commit_surely(txn).await?);
            }
            Ok(outcomes)
        }
        answer => answer,
    }
}

#[async_trait]
impl Sink for Copy<'_> {
    async fn take(&mut self, records: Vec<Record>) -> Result<()> {
        self.taken += records.len() as u64;
        let (mut documents, mut counters) = (Vec::new(), Vec::new());
        let mut places: Vec<(String, Vec<(String, Key)>)> = Vec::new();
        for record in records {
            if let Some(why) = belongs_elsewhere(&record) {
                self.leave(why, 1);
                continue;
            }
            self.report.offered.add(&record);
            match record {
                Record::Document {
                    key,
                    value,
                    expires,
                } => documents.push((key, value, expires)),
                Record::Counter {
                    key,
                    value,
                    expires,
                } => counters.push((key, value, expires)),
                Record::Place { index, order, key } => match places.last_mut() {
                    Some((last, places)) if *last == index => places.push((order, key)),
                    _ => places.push((index, vec![(order, key)])),
                },
            }
        }
        if !documents.is_empty() {
            self.documents(documents).await?;
        }
        if !counters.is_empty() {
            self.counters(counters).await?;
        }
        for (index, places) in places {
            self.places(&index, places).await?;
        }
        (self.progress)(self.taken);
        Ok(())
    }
}

/// The digest of everything that a store holds.
pub async fn digest(store: &dyn StateStore) -> Result<Digest> {
    let mut digest = Digest::default();
    store.export(&mut digest).await?;
    Ok(digest)
}
