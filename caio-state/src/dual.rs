//! Two stores while moving from one to the other: the primary decides, the legacy store is asked only
//! for what the primary says is *absent*, never when it fails.
//!
//! An answer of the legacy store is put into the primary if it is still absent there, and counted.
//! Listings would leave out what only the legacy store holds, so they are refused until somebody has
//! set the mark ([`cut_over`]); from then on the legacy store is not asked again.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use caio_core::IdSource;
use caio_core::time::rfc3339;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::ext::StateStoreExt;
use crate::key::Key;
use crate::record::Sink;
use crate::stop;
use crate::store::{Capabilities, Page, Range, RangeEntry, StateStore, Version, Versioned};
use crate::txn::{CommitOutcome, Guard, Txn, TxnId, Write};

const BACKEND: &str = "dual";

/// Two stores, one of which decides.
#[derive(Debug)]
pub struct DualStore {
    primary: Arc<dyn StateStore>,
    legacy: Arc<dyn StateStore>,
    ids: Arc<dyn IdSource>,
    /// The mark was seen; it is never taken back.
    migrated: AtomicBool,
}

/// Since when the legacy store is no more asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migrated {
    /// When, RFC 3339 UTC.
    pub migrated_at: String,
    /// Who said so.
    pub by: String,
}

/// What was still taken from the legacy store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegacyUse {
    /// Since when both stores are asked, RFC 3339 UTC.
    pub since: String,
    /// When the legacy store knew something last, RFC 3339 UTC.
    pub last_answer: Option<String>,
    /// What that was.
    pub last_key: Option<String>,
    /// How many answers were taken from it.
    #[serde(skip)]
    pub answers: u64,
}

fn mark() -> Key {
    Key::new(&["caio", "migrated"])
}

fn usage() -> Key {
    Key::new(&["caio", "legacy", "use"])
}

fn answers() -> Key {
    Key::new(&["caio", "legacy", "answers"])
}

/// Says that a document is gone from the primary for good, whatever the legacy store has.
fn gone(key: &Key) -> Key {
    Key::new(&["caio", "legacy", "gone", key.as_str()])
}

/// Says that a counter of the legacy store is in that of the primary.
fn moved(counter: &Key) -> Key {
    Key::new(&["caio", "legacy", "moved", counter.as_str()])
}

/// Sets the mark: from now on the legacy store is not asked again. One that is set stays.
pub async fn cut_over(store: &dyn StateStore, ids: &dyn IdSource, by: &str) -> Result<Migrated> {
    let migrated = Migrated {
        migrated_at: rfc3339(store.now().await?),
        by: by.to_owned(),
    };
    let txn = Txn {
        id: TxnId(ids.id()),
        guards: vec![Guard::Absent(mark())],
        writes: vec![put_json(mark(), &migrated)?],
    };
    match store.commit_surely(&txn).await? {
        CommitOutcome::Committed => Ok(migrated),
        CommitOutcome::Refused { .. } => Ok(self::migrated(store).await?.unwrap_or(migrated)),
    }
}

/// The mark, if it is set.
pub async fn migrated(store: &dyn StateStore) -> Result<Option<Migrated>> {
    Ok(store.get_json(&mark()).await?.map(|(mark, _)| mark))
}

/// What was taken from the legacy store, if two stores were ever asked.
pub async fn legacy_use(store: &dyn StateStore) -> Result<Option<LegacyUse>> {
    let Some((mut used, _)) = store.get_json::<LegacyUse>(&usage()).await? else {
        return Ok(None);
    };
    used.answers = store.counters(&[answers()]).await?[0];
    Ok(Some(used))
}

fn put_json(key: Key, value: &impl Serialize) -> Result<Write> {
    let value = serde_json::to_vec(value)
        .map_err(|error| StoreError::Invalid(format!("`{key}`: {error}")))?;
    Ok(Write::Put {
        key,
        value,
        expires_in: None,
    })
}

impl DualStore {
    /// Two stores; `ids` name the commits that bring answers over.
    pub fn new(
        primary: Arc<dyn StateStore>,
        legacy: Arc<dyn StateStore>,
        ids: Arc<dyn IdSource>,
    ) -> Self {
        Self {
            primary,
            legacy,
            ids,
            migrated: AtomicBool::new(false),
        }
    }

    /// Whether the mark is set; a move that begins is noted.
    async fn is_migrated(&self) -> Result<bool> {
        if self.migrated.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let found = self.primary.get(&[mark(), usage()]).await?;
        if found[0].is_some() {
            self.migrated.store(true, Ordering::Relaxed);
            return Ok(true);
        }
        if found[1].is_none() {
            let begun = LegacyUse {
                since: rfc3339(self.primary.now().await?),
                last_answer: None,
                last_key: None,
                answers: 0,
            };
            let put = put_json(usage(), &begun)?;
            self.bring(vec![Guard::Absent(usage())], vec![put]).await?;
        }
        Ok(false)
    }

    /// Commits into the primary; `false` when it is open for reading alone.
    async fn bring(&self, guards: Vec<Guard>, writes: Vec<Write>) -> Result<bool> {
        let txn = Txn {
            id: TxnId(self.ids.id()),
            guards,
            writes,
        };
        match self.primary.commit_surely(&txn).await {
            Ok(_) => Ok(true),
            Err(StoreError::ReadOnly { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Documents that the legacy store alone knows, brought over where that is possible.
    async fn ask_legacy(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>> {
        let marks: Vec<Key> = keys.iter().map(gone).collect();
        let marks = self.primary.get(&marks).await?;
        let wanted: Vec<usize> = (0..keys.len())
            .filter(|at| marks[*at].is_none() && !is_ours(&keys[*at]))
            .collect();
        let mut documents = vec![None; keys.len()];
        if wanted.is_empty() {
            return Ok(documents);
        }
        let asked: Vec<Key> = wanted.iter().map(|at| keys[*at].clone()).collect();
        let answered = self.legacy.get(&asked).await?;
        for (at, found) in wanted.into_iter().zip(answered) {
            let Some(found) = found else { continue };
            let key = &keys[at];
            documents[at] = if self.take_over(key, &found).await? {
                let mut now = self.primary.get(std::slice::from_ref(key)).await?;
                now.pop().flatten()
            } else {
                // Good for reading; no commit of the primary takes this for one of its versions.
                Some(Versioned {
                    version: Version(format!("legacy {}", found.version.0)),
                    ..found
                })
            };
        }
        Ok(documents)
    }

    /// Brings one document over if the primary still has none, and counts the answer.
    async fn take_over(&self, key: &Key, found: &Versioned) -> Result<bool> {
        let since = legacy_use(&*self.primary).await?;
        let now = rfc3339(self.primary.now().await?);
        let used = LegacyUse {
            since: since.map_or_else(|| now.clone(), |used| used.since),
            last_answer: Some(now),
            last_key: Some(key.to_string()),
            answers: 0,
        };
        let put = Write::Put {
            key: key.clone(),
            value: found.value.clone(),
            expires_in: None,
        };
        let count = Write::Add {
            counter: answers(),
            amount: 1,
            expires_in: None,
        };
        let guards = vec![Guard::Absent(key.clone()), Guard::Absent(gone(key))];
        self.bring(guards, vec![put, count, put_json(usage(), &used)?])
            .await
    }

    /// Brings over the counters that a commit is about.
    async fn take_counters(&self, counters: &[Key]) -> Result<()> {
        let is_legacy = |counter: &&Key| **counter != answers();
        let counters: Vec<Key> = counters.iter().filter(is_legacy).cloned().collect();
        if counters.is_empty() || !self.legacy.capabilities().counters {
            return Ok(());
        }
        let marks: Vec<Key> = counters.iter().map(moved).collect();
        let marks = self.primary.get(&marks).await?;
        let values = self.legacy.counters(&counters).await?;
        for ((counter, mark), value) in counters.iter().zip(marks).zip(values) {
            if mark.is_some() {
                continue;
            }
            let mark = Write::Put {
                key: moved(counter),
                value: value.to_string().into_bytes(),
                expires_in: None,
            };
            let add = (value > 0).then(|| Write::Add {
                counter: counter.clone(),
                amount: i64::try_from(value).unwrap_or(i64::MAX),
                expires_in: None,
            });
            let writes = add.into_iter().chain([mark]).collect();
            self.bring(vec![Guard::Absent(moved(counter))], writes)
                .await?;
        }
        Ok(())
    }

    /// Brings over what `txns` are about, so that the primary alone decides on them.
    async fn prepare(&self, txns: &[Txn]) -> Result<()> {
        let (mut documents, mut counters) = (BTreeSet::new(), BTreeSet::new());
        for txn in txns {
            for guard in &txn.guards {
                match guard {
                    Guard::Absent(key) | Guard::Present(key) | Guard::Unchanged(key, _) => {
                        documents.insert(key.clone());
                    }
                    Guard::Fence { lease, .. } => drop(documents.insert(lease.clone())),
                    Guard::StopAbsent => drop(documents.insert(stop::key())),
                    Guard::Ceiling { counter, .. } => drop(counters.insert(counter.clone())),
                }
            }
            for write in &txn.writes {
                if let Write::Add { counter, .. } = write {
                    counters.insert(counter.clone());
                }
            }
        }
        self.get(&documents.into_iter().collect::<Vec<_>>()).await?;
        let counters: Vec<Key> = counters.into_iter().collect();
        self.take_counters(&counters).await
    }

    async fn listing(&self, operation: &'static str) -> Result<()> {
        if self.is_migrated().await? {
            return Ok(());
        }
        Err(StoreError::MigrationIncomplete {
            operation,
            backend: BACKEND,
        })
    }
}

/// Names that only a move between two stores uses.
fn is_ours(key: &Key) -> bool {
    *key == mark() || key.as_str().starts_with("caio:legacy:")
}

/// The same transaction, which also says what is gone, or will be, so that the legacy store's copy
/// does not come back.
fn with_marks(txn: &Txn) -> Txn {
    let mut txn = txn.clone();
    let ends = txn.writes.iter().filter_map(|write| match write {
        Write::Delete(key)
        | Write::Put {
            key,
            expires_in: Some(_),
            ..
        } => Some(Write::Put {
            key: gone(key),
            value: Vec::new(),
            expires_in: None,
        }),
        _ => None,
    });
    let ends: Vec<Write> = ends.collect();
    txn.writes.extend(ends);
    txn
}

#[async_trait]
impl StateStore for DualStore {
    /// Those of the primary; listings and live sends only once the mark was seen.
    fn capabilities(&self) -> Capabilities {
        let primary = self.primary.capabilities();
        let migrated = self.migrated.load(Ordering::Relaxed);
        Capabilities {
            listings: primary.listings && migrated,
            live_authority: primary.live_authority && migrated,
            ..primary
        }
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>> {
        let mut found = self.primary.get(keys).await?;
        let absent: Vec<usize> = (0..keys.len()).filter(|at| found[*at].is_none()).collect();
        if absent.is_empty() || self.is_migrated().await? {
            return Ok(found);
        }
        let asked: Vec<Key> = absent.iter().map(|at| keys[*at].clone()).collect();
        for (at, answer) in absent.into_iter().zip(self.ask_legacy(&asked).await?) {
            found[at] = answer;
        }
        Ok(found)
    }

    async fn counters(&self, keys: &[Key]) -> Result<Vec<u64>> {
        if !self.is_migrated().await? {
            self.take_counters(keys).await?;
        }
        self.primary.counters(keys).await
    }

    async fn scan(
        &self,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page<(Key, Versioned), Key>> {
        self.listing("a scan").await?;
        self.primary.scan(prefix, after, limit).await
    }

    async fn range(
        &self,
        index: &str,
        range: &Range,
        after: Option<&RangeEntry>,
        limit: usize,
    ) -> Result<Page<RangeEntry, RangeEntry>> {
        self.listing("a page of an index").await?;
        self.primary.range(index, range, after, limit).await
    }

    async fn commit(&self, txn: &Txn) -> Result<CommitOutcome> {
        if self.is_migrated().await? {
            return self.primary.commit(txn).await;
        }
        self.prepare(std::slice::from_ref(txn)).await?;
        self.primary.commit(&with_marks(txn)).await
    }

    async fn commit_many(&self, txns: &[Txn]) -> Result<Vec<CommitOutcome>> {
        if self.is_migrated().await? {
            return self.primary.commit_many(txns).await;
        }
        self.prepare(txns).await?;
        let txns: Vec<Txn> = txns.iter().map(with_marks).collect();
        self.primary.commit_many(&txns).await
    }

    async fn export(&self, sink: &mut dyn Sink) -> Result<()> {
        self.listing("an export").await?;
        self.primary.export(sink).await
    }

    async fn now(&self) -> Result<Timestamp> {
        self.primary.now().await
    }

    async fn ping(&self) -> Result<()> {
        self.primary.ping().await?;
        if self.is_migrated().await? {
            return Ok(());
        }
        self.legacy.ping().await
    }
}

impl fmt::Display for DualStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dual:{},{}", self.primary, self.legacy)
    }
}
