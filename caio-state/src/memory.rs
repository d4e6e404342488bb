//! State in memory, behind one mutex: for tests, examples and benchmarks.

use std::collections::btree_map::Entry as MapEntry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use caio_core::Clock;
use jiff::{SignedDuration, Timestamp};

use crate::error::{Result, StoreError};
use crate::guard::{TXN_HOURS, View, first_failing, later};
use crate::key::Key;
use crate::record::{PORTION, Record, Sink};
use crate::store::{Capabilities, Page, Range, RangeEntry, StateStore, Version, Versioned};
use crate::txn::{CommitOutcome, Txn, Write};

/// State that lives as long as this value.
#[derive(Debug)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
}

impl MemoryStore {
    /// An empty store with its own time.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            inner: Mutex::default(),
        }
    }

    /// Runs `act` on the state as it is now: what has expired is gone.
    fn with<T>(&self, act: impl FnOnce(&mut Inner, Timestamp) -> T) -> T {
        let now = self.clock.now();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.expire(now);
        act(&mut inner, now)
    }
}

impl fmt::Display for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory:")
    }
}

#[derive(Debug, Clone)]
struct Entry<T> {
    value: T,
    version: u64,
    expires: Option<Timestamp>,
}

/// What is kept; the layer of [`OverlayStore`](crate::OverlayStore) that is written to is one as well.
#[derive(Debug, Default)]
pub(crate) struct Inner {
    documents: BTreeMap<String, Entry<Vec<u8>>>,
    counters: BTreeMap<String, Entry<u64>>,
    indexes: BTreeMap<String, Index>,
    outcomes: HashMap<String, Entry<CommitOutcome>>,
    /// What expires, soonest first. A record that was replaced meanwhile has another time.
    expiring: BTreeSet<(Timestamp, Family, String)>,
    versions: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    Counter,
    Document,
    Outcome,
}

#[derive(Debug, Default)]
struct Index {
    entries: BTreeSet<RangeEntry>,
    places: HashMap<Key, String>,
}

impl Inner {
    /// Takes out what has expired.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        while let Some((at, family, name)) = self.expiring.pop_first() {
            if at > now {
                self.expiring.insert((at, family, name));
                return;
            }
            match family {
                Family::Counter => remove_expired(self.counters.entry(name), now),
                Family::Document => remove_expired(self.documents.entry(name), now),
                Family::Outcome => {
                    self.outcomes.remove(&name);
                }
            }
        }
    }

    /// Notes when a record expires; the instant, if it does.
    fn expires(
        &mut self,
        family: Family,
        name: &str,
        now: Timestamp,
        ttl: Option<SignedDuration>,
    ) -> Option<Timestamp> {
        let at = later(now, ttl?);
        self.expiring.insert((at, family, name.to_owned()));
        Some(at)
    }

    fn commit(&mut self, txn: &Txn, now: Timestamp) -> Result<CommitOutcome> {
        if let Some(first) = self.outcome(txn) {
            return Ok(first);
        }
        let failing = first_failing(&*self, &txn.guards, now)?;
        Ok(self.settle(txn, failing, now))
    }

    /// What became of a transaction that was sent before.
    pub(crate) fn outcome(&self, txn: &Txn) -> Option<CommitOutcome> {
        let first = self.outcomes.get(&txn.id.0)?;
        Some(first.value.clone())
    }

    /// Applies a transaction of which no guard fails, and remembers its outcome.
    pub(crate) fn settle(
        &mut self,
        txn: &Txn,
        failing: Option<usize>,
        now: Timestamp,
    ) -> CommitOutcome {
        let outcome = match failing {
            Some(guard) => CommitOutcome::Refused { guard },
            None => {
                for write in &txn.writes {
                    self.write(write, now);
                }
                CommitOutcome::Committed
            }
        };
        let kept = Some(SignedDuration::from_hours(TXN_HOURS));
        let expires = self.expires(Family::Outcome, &txn.id.0, now, kept);
        let entry = Entry {
            value: outcome.clone(),
            version: 0,
            expires,
        };
        self.outcomes.insert(txn.id.0.clone(), entry);
        outcome
    }

    /// Documents whose name begins with `prefix`, beyond `after`: at most `most`.
    pub(crate) fn documents_after(
        &self,
        prefix: &str,
        after: Option<&Key>,
        most: usize,
    ) -> Vec<(Key, Versioned)> {
        let from = match after.map(Key::as_str).filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        self.documents
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(prefix))
            .take(most)
            .map(|(name, entry)| (Key::stored(name), entry.versioned()))
            .collect()
    }

    /// Entries of an index within `range`, beyond `after`: at most `most`.
    pub(crate) fn entries_after(
        &self,
        index: &str,
        range: &Range,
        after: Option<&RangeEntry>,
        most: usize,
    ) -> Vec<RangeEntry> {
        let Some(index) = self.indexes.get(index) else {
            return Vec::new();
        };
        let inside = index.within(range, after);
        if range.descending {
            inside.rev().take(most).cloned().collect()
        } else {
            inside.take(most).cloned().collect()
        }
    }

    /// Everything, in the order that [`Sink::take`] names.
    pub(crate) fn records(&self) -> Vec<Record> {
        let documents = self.documents.iter().map(|(name, entry)| Record::Document {
            key: Key::stored(name),
            value: entry.value.clone(),
            expires: entry.expires,
        });
        let counters = self.counters.iter().map(|(name, entry)| Record::Counter {
            key: Key::stored(name),
            value: entry.value,
            expires: entry.expires,
        });
        let places = self.indexes.iter().flat_map(|(name, index)| {
            index.entries.iter().map(|entry| Record::Place {
                index: name.clone(),
                order: entry.order.clone(),
                key: entry.key.clone(),
            })
        });
        documents.chain(counters).chain(places).collect()
    }

    pub(crate) fn write(&mut self, write: &Write, now: Timestamp) {
        match write {
            Write::Add {
                counter,
                amount,
                expires_in,
            } => {
                let name = counter.as_str();
                if !self.counters.contains_key(name) {
                    let expires = self.expires(Family::Counter, name, now, *expires_in);
                    let empty = Entry {
                        value: 0,
                        version: 0,
                        expires,
                    };
                    self.counters.insert(name.to_owned(), empty);
                }
                if let Some(entry) = self.counters.get_mut(name) {
                    let sum = entry.value.saturating_add_signed(*amount);
                    entry.value = sum.min(i64::MAX.unsigned_abs());
                }
            }
            Write::Delete(key) => {
                self.documents.remove(key.as_str());
            }
            Write::Index { index, order, key } => {
                let index = self.indexes.entry(index.clone()).or_default();
                index.remove(key);
                index.places.insert(key.clone(), order.clone());
                index.entries.insert(RangeEntry {
                    order: order.clone(),
                    key: key.clone(),
                });
            }
            Write::Put {
                key,
                value,
                expires_in,
            } => {
                self.versions += 1;
                let expires = self.expires(Family::Document, key.as_str(), now, *expires_in);
                let entry = Entry {
                    value: value.clone(),
                    version: self.versions,
                    expires,
                };
                self.documents.insert(key.as_str().to_owned(), entry);
            }
            Write::Unindex { index, key } => {
                if let Some(index) = self.indexes.get_mut(index) {
                    index.remove(key);
                }
            }
        }
    }
}

fn remove_expired<T>(entry: MapEntry<'_, String, Entry<T>>, now: Timestamp) {
    if let MapEntry::Occupied(found) = entry
        && found.get().expires.is_some_and(|expires| expires <= now)
    {
        found.remove();
    }
}

impl Index {
    /// Entries within `range` and beyond `after`, lowest first.
    fn within(
        &self,
        range: &Range,
        after: Option<&RangeEntry>,
    ) -> impl DoubleEndedIterator<Item = &RangeEntry> {
        let first_at = |order: &String| RangeEntry {
            order: order.clone(),
            key: Key::stored(""),
        };
        let beyond = after.cloned();
        let (above, below) = if range.descending {
            (None, beyond)
        } else {
            (beyond, None)
        };
        let from = range.from.as_ref().map(first_at);
        let until = range.until.as_ref().map(first_at);
        let start = match (from, above) {
            (Some(from), Some(above)) if from > above => Bound::Included(from),
            (_, Some(above)) => Bound::Excluded(above),
            (from, None) => from.map_or(Bound::Unbounded, Bound::Included),
        };
        let end = [until, below].into_iter().flatten().min();
        // The tree panics on bounds that cross each other.
        let crossed = match (&start, &end) {
            (Bound::Included(start) | Bound::Excluded(start), Some(end)) => start >= end,
            _ => false,
        };
        let end = end.map_or(Bound::Unbounded, Bound::Excluded);
        let inside = (!crossed).then(|| self.entries.range((start, end)));
        inside.into_iter().flatten()
    }

    fn remove(&mut self, key: &Key) {
        if let Some(order) = self.places.remove(key) {
            self.entries.remove(&RangeEntry {
                order,
                key: key.clone(),
            });
        }
    }
}

impl Entry<Vec<u8>> {
    fn versioned(&self) -> Versioned {
        Versioned {
            value: self.value.clone(),
            version: Version(self.version.to_string()),
        }
    }
}

impl View for Inner {
    fn document(&self, key: &Key) -> Result<Option<Versioned>> {
        Ok(self.documents.get(key.as_str()).map(Entry::versioned))
    }

    fn counter(&self, key: &Key) -> Result<u64> {
        Ok(self
            .counters
            .get(key.as_str())
            .map_or(0, |entry| entry.value))
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            multi_document: true,
            indexes: true,
            counters: true,
            listings: true,
            live_authority: false,
        }
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>> {
        self.with(|inner, _| keys.iter().map(|key| inner.document(key)).collect())
    }

    async fn counters(&self, keys: &[Key]) -> Result<Vec<u64>> {
        self.with(|inner, _| keys.iter().map(|key| inner.counter(key)).collect())
    }

    async fn scan(
        &self,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page<(Key, Versioned), Key>> {
        check_limit(limit)?;
        self.with(|inner, _| {
            let mut items = inner.documents_after(prefix, after, limit.saturating_add(1));
            let next = more(&mut items, limit).map(|(key, _)| key.clone());
            Ok(Page { items, next })
        })
    }

    async fn range(
        &self,
        index: &str,
        range: &Range,
        after: Option<&RangeEntry>,
        limit: usize,
    ) -> Result<Page<RangeEntry, RangeEntry>> {
        check_limit(limit)?;
        self.with(|inner, _| {
            let most = limit.saturating_add(1);
            let mut items = inner.entries_after(index, range, after, most);
            let next = more(&mut items, limit).cloned();
            Ok(Page { items, next })
        })
    }

    async fn commit(&self, txn: &Txn) -> Result<CommitOutcome> {
        self.with(|inner, now| inner.commit(txn, now))
    }

    async fn commit_many(&self, txns: &[Txn]) -> Result<Vec<CommitOutcome>> {
        self.with(|inner, now| txns.iter().map(|txn| inner.commit(txn, now)).collect())
    }

    async fn export(&self, sink: &mut dyn Sink) -> Result<()> {
        let mut records = self.with(|inner, _| inner.records());
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
        Ok(())
    }
}

/// Refuses a page of nothing, which would never end.
pub(crate) fn check_limit(limit: usize) -> Result<()> {
    if limit == 0 {
        return Err(StoreError::Invalid(
            "a page holds at least one entry".to_owned(),
        ));
    }
    Ok(())
}

/// Cuts `items` to `limit`; the last one kept, if there were more.
pub(crate) fn more<T>(items: &mut Vec<T>, limit: usize) -> Option<&T> {
    let cut = items.len() > limit;
    items.truncate(limit);
    if cut { items.last() } else { None }
}
