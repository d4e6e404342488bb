//! A store over another one: everything is read through, nothing that is written reaches it.
//!
//! What was written here is answered from here alone; everything else is asked of the base, each
//! time anew. Guards look at both. Used for what must run as if it were real: shadow runs, rehearsals.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use caio_core::Clock;
use jiff::Timestamp;

use crate::error::Result;
use crate::guard::{View, first_failing};
use crate::key::Key;
use crate::memory::{Inner, check_limit, more};
use crate::record::{PORTION, Record, Sink};
use crate::stop;
use crate::store::{Capabilities, Page, Range, RangeEntry, StateStore, Version, Versioned};
use crate::txn::{CommitOutcome, Guard, Txn, Write};

/// A layer in memory over a store that is only read.
///
/// It decides nothing for live sends. Its time is that of its clock, whatever that of the base; a base
/// without counters or indexes has empty ones.
#[derive(Debug)]
pub struct OverlayStore {
    base: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
    layer: Mutex<Layer>,
}

/// What was written, and what of the base it hides.
#[derive(Debug, Default)]
struct Layer {
    inner: Inner,
    documents: HashSet<Key>,
    counters: HashSet<Key>,
    /// Keys that were put into an index or taken out of it, by index.
    places: HashMap<String, HashSet<Key>>,
}

/// What the base answers to the questions of a transaction.
#[derive(Debug, Default)]
struct Asked {
    documents: HashMap<Key, Option<Versioned>>,
    counters: HashMap<Key, u64>,
}

/// Both layers at the instant of a commit.
struct Both<'a> {
    layer: &'a Layer,
    asked: &'a Asked,
}

impl OverlayStore {
    /// Nothing over `base`, in the time of `clock`.
    pub fn new(base: Arc<dyn StateStore>, clock: Arc<dyn Clock>) -> Self {
        Self {
            base,
            clock,
            layer: Mutex::default(),
        }
    }

    /// Runs `act` on the layer as it is now: what has expired is gone, and hides the base all the same.
    fn with<T>(&self, act: impl FnOnce(&mut Layer, Timestamp) -> T) -> T {
        let now = self.clock.now();
        let mut layer = self.layer.lock().unwrap_or_else(PoisonError::into_inner);
        layer.inner.expire(now);
        act(&mut layer, now)
    }

    /// Those of `keys` that nothing here hides.
    fn beneath(&self, keys: &[Key], hidden: impl Fn(&Layer) -> &HashSet<Key>) -> Vec<Key> {
        self.with(|layer, _| {
            let hidden = hidden(layer);
            let open = keys.iter().filter(|key| !hidden.contains(*key));
            open.cloned().collect()
        })
    }

    async fn base_documents(&self, keys: &[Key]) -> Result<HashMap<Key, Option<Versioned>>> {
        let keys = self.beneath(keys, |layer| &layer.documents);
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let found = self.base.get(&keys).await?;
        let found = found.into_iter().map(|it| it.map(beneath));
        Ok(keys.into_iter().zip(found).collect())
    }

    async fn base_counters(&self, keys: &[Key]) -> Result<HashMap<Key, u64>> {
        let keys = self.beneath(keys, |layer| &layer.counters);
        if keys.is_empty() || !self.base.capabilities().counters {
            return Ok(HashMap::new());
        }
        let found = self.base.counters(&keys).await?;
        Ok(keys.into_iter().zip(found).collect())
    }

    /// What the base says to everything that `txn` rests on.
    async fn ask(&self, txn: &Txn) -> Result<Asked> {
        let (mut documents, mut counters) = (Vec::new(), Vec::new());
        for guard in &txn.guards {
            match guard {
                Guard::Absent(key) | Guard::Present(key) | Guard::Unchanged(key, _) => {
                    documents.push(key.clone());
                }
                Guard::Fence { lease, .. } => documents.push(lease.clone()),
                Guard::StopAbsent => documents.push(stop::key()),
                Guard::Ceiling { counter, .. } => counters.push(counter.clone()),
            }
        }
        for write in &txn.writes {
            if let Write::Add { counter, .. } = write {
                counters.push(counter.clone());
            }
        }
        Ok(Asked {
            documents: self.base_documents(&documents).await?,
            counters: self.base_counters(&counters).await?,
        })
    }
}

/// A document as it is shown: a version says whose it is, and no other store's looks like it.
fn shown(whose: &str, document: Versioned) -> Versioned {
    Versioned {
        version: Version(format!("{whose} {}", document.version.0)),
        ..document
    }
}

fn beneath(document: Versioned) -> Versioned {
    shown("base", document)
}

fn written(document: Versioned) -> Versioned {
    shown("layer", document)
}

impl Layer {
    fn commit(&mut self, txn: &Txn, asked: &Asked, now: Timestamp) -> Result<CommitOutcome> {
        if let Some(first) = self.inner.outcome(txn) {
            return Ok(first);
        }
        let both = Both { layer: self, asked };
        let failing = first_failing(&both, &txn.guards, now)?;
        if failing.is_none() {
            for write in &txn.writes {
                self.hide(write, asked, now);
            }
        }
        Ok(self.inner.settle(txn, failing, now))
    }

    /// From this write on the base is not asked for what it changes. A counter goes on from where the
    /// base has it, and lives as long as the write says.
    fn hide(&mut self, write: &Write, asked: &Asked, now: Timestamp) {
        match write {
            Write::Add {
                counter,
                expires_in,
                ..
            } => {
                let stands = asked.counters.get(counter).copied().unwrap_or(0);
                if self.counters.insert(counter.clone()) && stands > 0 {
                    let seed = Write::Add {
                        counter: counter.clone(),
                        amount: i64::try_from(stands).unwrap_or(i64::MAX),
                        expires_in: *expires_in,
                    };
                    self.inner.write(&seed, now);
                }
            }
            Write::Delete(key) | Write::Put { key, .. } => {
                self.documents.insert(key.clone());
            }
            Write::Index { index, key, .. } | Write::Unindex { index, key } => {
                let places = self.places.entry(index.clone()).or_default();
                places.insert(key.clone());
            }
        }
    }

    fn hides_place(&self, index: &str, key: &Key) -> bool {
        self.places
            .get(index)
            .is_some_and(|keys| keys.contains(key))
    }

    fn hides(&self, record: &Record) -> bool {
        match record {
            Record::Counter { key, .. } => self.counters.contains(key),
            Record::Document { key, .. } => self.documents.contains(key),
            Record::Place { index, key, .. } => self.hides_place(index, key),
        }
    }
}

impl View for Both<'_> {
    fn document(&self, key: &Key) -> Result<Option<Versioned>> {
        if self.layer.documents.contains(key) {
            return Ok(self.layer.inner.document(key)?.map(written));
        }
        Ok(self.asked.documents.get(key).cloned().flatten())
    }

    fn counter(&self, key: &Key) -> Result<u64> {
        if self.layer.counters.contains(key) {
            return self.layer.inner.counter(key);
        }
        Ok(self.asked.counters.get(key).copied().unwrap_or(0))
    }
}

#[async_trait]
impl StateStore for OverlayStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            multi_document: true,
            indexes: true,
            counters: true,
            listings: self.base.capabilities().listings,
            live_authority: false,
        }
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>> {
        let documents = self.base_documents(keys).await?;
        let asked = Asked {
            documents,
            ..Asked::default()
        };
        self.with(|layer, _| {
            let both = Both {
                layer,
                asked: &asked,
            };
            keys.iter().map(|key| both.document(key)).collect()
        })
    }

    async fn counters(&self, keys: &[Key]) -> Result<Vec<u64>> {
        let counters = self.base_counters(keys).await?;
        let asked = Asked {
            counters,
            ..Asked::default()
        };
        self.with(|layer, _| {
            let both = Both {
                layer,
                asked: &asked,
            };
            keys.iter().map(|key| both.counter(key)).collect()
        })
    }

    async fn scan(
        &self,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page<(Key, Versioned), Key>> {
        check_limit(limit)?;
        let most = limit.saturating_add(1);
        let mut items: Vec<(Key, Versioned)> = Vec::new();
        let mut next = after.cloned();
        loop {
            let page = self.base.scan(prefix, next.as_ref(), most).await?;
            self.with(|layer, _| {
                let open = page.items.into_iter();
                let open = open.filter(|(key, _)| !layer.documents.contains(key));
                items.extend(open.map(|(key, document)| (key, beneath(document))));
            });
            next = page.next;
            if next.is_none() || items.len() >= most {
                break;
            }
        }
        let above = self.with(|layer, _| layer.inner.documents_after(prefix, after, most));
        items.extend(above.into_iter().map(|(key, it)| (key, written(it))));
        items.sort_by(|(left, _), (right, _)| left.cmp(right));
        let next = more(&mut items, limit).map(|(key, _)| key.clone());
        Ok(Page { items, next })
    }

    async fn range(
        &self,
        index: &str,
        range: &Range,
        after: Option<&RangeEntry>,
        limit: usize,
    ) -> Result<Page<RangeEntry, RangeEntry>> {
        check_limit(limit)?;
        let most = limit.saturating_add(1);
        let mut items: Vec<RangeEntry> = Vec::new();
        let mut next = after.cloned();
        while self.base.capabilities().indexes {
            let page = self.base.range(index, range, next.as_ref(), most).await?;
            self.with(|layer, _| {
                let open = page.items.into_iter();
                items.extend(open.filter(|it| !layer.hides_place(index, &it.key)));
            });
            next = page.next;
            if next.is_none() || items.len() >= most {
                break;
            }
        }
        items.extend(self.with(|layer, _| layer.inner.entries_after(index, range, after, most)));
        items.sort();
        if range.descending {
            items.reverse();
        }
        let next = more(&mut items, limit).cloned();
        Ok(Page { items, next })
    }

    async fn commit(&self, txn: &Txn) -> Result<CommitOutcome> {
        let asked = self.ask(txn).await?;
        self.with(|layer, now| layer.commit(txn, &asked, now))
    }

    async fn commit_many(&self, txns: &[Txn]) -> Result<Vec<CommitOutcome>> {
        let mut outcomes = Vec::with_capacity(txns.len());
        for txn in txns {
            outcomes.push(self.commit(txn).await?);
        }
        Ok(outcomes)
    }

    async fn export(&self, sink: &mut dyn Sink) -> Result<()> {
        let mut records: Vec<Record> = Vec::new();
        self.base.export(&mut records).await?;
        self.with(|layer, _| {
            records.retain(|record| !layer.hides(record));
            records.extend(layer.inner.records());
        });
        records.sort_by(|left, right| place_of(left).cmp(&place_of(right)));
        while !records.is_empty() {
            let rest = records.split_off(records.len().min(PORTION));
            sink.take(std::mem::replace(&mut records, rest)).await?;
        }
        Ok(())
    }

    async fn now(&self) -> Result<Timestamp> {
        Ok(self.clock.now())
    }

    async fn ping(&self) -> Result<()> {
        self.base.ping().await
    }
}

/// Where a record stands in an export.
fn place_of(record: &Record) -> (u8, &str, &str, &Key) {
    match record {
        Record::Document { key, .. } => (0, "", "", key),
        Record::Counter { key, .. } => (1, "", "", key),
        Record::Place { index, order, key } => (2, index, order, key),
    }
}

impl fmt::Display for OverlayStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a layer over {}", self.base)
    }
}
