//! State in the `.hive-mind` folder of the Python system: read while moving away from it, mirrored
//! while both run, and never an authority, since that system takes no lock here.
//!
//! Its records stand where it looks for them and in its own form; everything else in `caio/`. A commit
//! is about one document: a file is replaced by one that is on the disk before it has the name. A file
//! that is not whole is an error and never *absent*; a copy of it is kept in `caio/quarantine/`.

mod files;
mod folder;
mod layout;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use caio_core::Clock;
use jiff::Timestamp;

use crate::Access;
use crate::error::{Result, StoreError};
use crate::key::Key;
use crate::memory::{check_limit, more};
use crate::record::{PORTION, Record, Sink};
use crate::store::{Capabilities, Page, Range, RangeEntry, StateStore, Versioned};
use crate::txn::{CommitOutcome, Txn};

use files::Trouble;
use folder::{Folder, Found, one_document};

const BACKEND: &str = "hive";

/// State in the folder of the Python system.
#[derive(Debug)]
pub struct HiveStore {
    root: PathBuf,
    access: Access,
    clock: Arc<dyn Clock>,
    memory: Arc<Mutex<Memory>>,
}

/// What one process remembers of the folder.
#[derive(Debug, Default)]
struct Memory {
    /// Documents that files hold, as long as the files are the same.
    known: HashMap<PathBuf, (Stamp, Result<Key, Trouble>)>,
    /// Outcomes of transactions, and when each is forgotten.
    outcomes: HashMap<String, CommitOutcome>,
    forgotten: VecDeque<(Timestamp, String)>,
}

/// Tells whether a file is the same.
type Stamp = (SystemTime, u64);

impl HiveStore {
    /// The folder at `root`; one that is missing is made when writing is allowed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it is no folder that can be read.
    pub fn open(root: &Path, clock: Arc<dyn Clock>, access: Access) -> Result<Self> {
        if access == Access::ReadWrite {
            files::private_folder(root).map_err(|error| unavailable(root, &error))?;
        }
        std::fs::read_dir(root).map_err(|error| unavailable(root, &error))?;
        Ok(Self {
            root: root.to_owned(),
            access,
            clock,
            memory: Arc::default(),
        })
    }

    /// Runs `act` off the async threads, alone in this process.
    async fn run<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Folder<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (root, access) = (self.root.clone(), self.access);
        let (clock, memory) = (Arc::clone(&self.clock), Arc::clone(&self.memory));
        let task = tokio::task::spawn_blocking(move || {
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            act(&mut Folder {
                root: &root,
                access,
                now: clock.now(),
                memory: &mut memory,
            })
        });
        task.await.map_err(|error| StoreError::Ambiguous {
            backend: BACKEND,
            reason: format!("the task ended early: {error}"),
        })?
    }
}

fn unsupported(operation: &'static str) -> StoreError {
    StoreError::Unsupported {
        operation,
        backend: BACKEND,
    }
}

fn unavailable(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unavailable {
        backend: BACKEND,
        reason: format!("{}: {error}", path.display()),
        source: None,
    }
}

#[async_trait]
impl StateStore for HiveStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            multi_document: false,
            indexes: false,
            counters: false,
            listings: true,
            live_authority: false,
        }
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>> {
        let keys = keys.to_vec();
        self.run(move |folder| {
            let mut found = Vec::with_capacity(keys.len());
            for key in &keys {
                found.push(folder.find(key)?.map(Found::versioned));
            }
            Ok(found)
        })
        .await
    }

    async fn counters(&self, _: &[Key]) -> Result<Vec<u64>> {
        Err(unsupported("counters"))
    }

    async fn scan(
        &self,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page<(Key, Versioned), Key>> {
        check_limit(limit)?;
        let (prefix, after) = (prefix.to_owned(), after.cloned());
        self.run(move |folder| {
            let mut items = Vec::new();
            for (key, (family, file)) in folder.documents(&prefix)? {
                if after.as_ref().is_some_and(|after| key <= *after) {
                    continue;
                }
                // One that is gone or has expired since is left out.
                if let Some((key, found)) = folder.read(family, &file)? {
                    items.push((key, found.versioned()));
                }
                if items.len() > limit {
                    break;
                }
            }
            let next = more(&mut items, limit).map(|(key, _)| key.clone());
            Ok(Page { items, next })
        })
        .await
    }

    async fn range(
        &self,
        _: &str,
        _: &Range,
        _: Option<&RangeEntry>,
        _: usize,
    ) -> Result<Page<RangeEntry, RangeEntry>> {
        Err(unsupported("indexes"))
    }

    async fn commit(&self, txn: &Txn) -> Result<CommitOutcome> {
        let outcomes = self.commit_many(std::slice::from_ref(txn)).await?;
        outcomes
            .into_iter()
            .next()
            .ok_or_else(|| StoreError::Invalid("no outcome".to_owned()))
    }

    async fn commit_many(&self, txns: &[Txn]) -> Result<Vec<CommitOutcome>> {
        if self.access == Access::ReadOnly {
            return Err(StoreError::ReadOnly { backend: BACKEND });
        }
        for txn in txns {
            one_document(txn)?;
        }
        let txns = txns.to_vec();
        self.run(move |folder| {
            let _lock =
                files::lock(folder.root).map_err(|error| unavailable(folder.root, &error))?;
            txns.iter().map(|txn| folder.commit(txn)).collect()
        })
        .await
    }

    async fn export(&self, sink: &mut dyn Sink) -> Result<()> {
        let documents: Vec<_> = self
            .run(|folder| folder.documents(""))
            .await?
            .into_iter()
            .collect();
        for chunk in documents.chunks(PORTION) {
            let chunk = chunk.to_vec();
            let read = move |folder: &mut Folder<'_>| {
                let mut records = Vec::with_capacity(chunk.len());
                for (_, (family, file)) in chunk {
                    if let Some((key, found)) = folder.read(family, &file)? {
                        records.push(Record::Document {
                            key,
                            value: found.value,
                            expires: found.expires,
                        });
                    }
                }
                Ok(records)
            };
            sink.take(self.run(read).await?).await?;
        }
        Ok(())
    }

    async fn now(&self) -> Result<Timestamp> {
        Ok(self.clock.now())
    }

    async fn ping(&self) -> Result<()> {
        let root = self.root.clone();
        self.run(move |_| {
            let listing = std::fs::read_dir(&root);
            listing
                .map(drop)
                .map_err(|error| unavailable(&root, &error))
        })
        .await
    }
}

impl fmt::Display for HiveStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hive:{}", self.root.display())
    }
}
