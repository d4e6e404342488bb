//! State in one SQLite file: the embedded default.
//!
//! Nothing to install; the service, the command line and a script may have it open at once, and an
//! operator can look inside with any SQLite tool. WAL, `synchronous=FULL`; a commit is one
//! immediate transaction.

mod export;
mod schema;
mod tables;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use caio_core::Clock;
use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};

use crate::error::{Result, StoreError};
use crate::guard::View;
use crate::key::Key;
use crate::memory::check_limit;
use crate::record::Sink;
use crate::store::{Capabilities, Page, Range, RangeEntry, StateStore, Versioned};
use crate::txn::{CommitOutcome, Txn};
use tables::Tables;

const BACKEND: &str = "sqlite";

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading only: nothing is created or changed, and a missing file reads as an empty store.
    ReadOnly,
    /// Reading and writing: a missing file is made, readable by its owner alone.
    ReadWrite,
}

/// State in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    access: Access,
    clock: Arc<dyn Clock>,
    connection: Arc<Mutex<Connection>>,
    steps: AtomicU64,
}

impl SqliteStore {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] for a folder, a file that may not be read or written and a full
    /// disk; [`StoreError::Invalid`] for a file that is not ours or was made by a newer version.
    pub fn open(path: &Path, clock: Arc<dyn Clock>, access: Access) -> Result<Self> {
        let connection = schema::open(path, access)?;
        Ok(Self {
            path: path.to_owned(),
            access,
            clock,
            connection: Arc::new(Mutex::new(connection)),
            steps: AtomicU64::default(),
        })
    }

    /// Steps that SQLite's machine has taken for pages so far: what a page costs, whatever the
    /// clock says.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Runs `act` on the tables, off the async threads.
    async fn read<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Tables<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run(|connection, clock| {
            let now = clock.now();
            act(&Tables { connection, now })
        })
        .await
    }

    /// Runs `act` off the async threads. The clock is asked when the wait for others is over: what
    /// expired meanwhile has expired.
    async fn run<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Connection, &dyn Clock) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let connection = Arc::clone(&self.connection);
        let clock = Arc::clone(&self.clock);
        let task = tokio::task::spawn_blocking(move || {
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            act(&mut connection, &*clock)
        });
        task.await.map_err(|error| StoreError::Ambiguous {
            backend: BACKEND,
            reason: format!("the task ended early: {error}"),
        })?
    }

    async fn write(&self, txns: Vec<Txn>) -> Result<Vec<CommitOutcome>> {
        if self.access == Access::ReadOnly {
            return Err(StoreError::ReadOnly { backend: BACKEND });
        }
        self.run(move |connection, clock| {
            let transaction = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(failed)?;
            let tables = Tables {
                connection: &transaction,
                now: clock.now(),
            };
            let mut outcomes = Vec::with_capacity(txns.len());
            for txn in &txns {
                outcomes.push(tables.commit(txn)?);
            }
            tables.purge()?;
            transaction.commit().map_err(unfinished)?;
            Ok(outcomes)
        })
        .await
    }
}

impl fmt::Display for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite:{}", self.path.display())
    }
}

#[async_trait]
impl StateStore for SqliteStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            multi_document: true,
            indexes: true,
            counters: true,
            listings: true,
            live_authority: true,
        }
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>> {
        let keys = keys.to_vec();
        self.read(move |tables| keys.iter().map(|key| tables.document(key)).collect())
            .await
    }

    async fn counters(&self, keys: &[Key]) -> Result<Vec<u64>> {
        let keys = keys.to_vec();
        self.read(move |tables| keys.iter().map(|key| tables.counter(key)).collect())
            .await
    }

    async fn scan(
        &self,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page<(Key, Versioned), Key>> {
        check_limit(limit)?;
        let (prefix, after) = (prefix.to_owned(), after.cloned());
        let (page, steps) = self
            .read(move |tables| tables.scan(&prefix, after.as_ref(), limit))
            .await?;
        self.steps.fetch_add(steps, Ordering::Relaxed);
        Ok(page)
    }

    async fn range(
        &self,
        index: &str,
        range: &Range,
        after: Option<&RangeEntry>,
        limit: usize,
    ) -> Result<Page<RangeEntry, RangeEntry>> {
        check_limit(limit)?;
        let (index, range, after) = (index.to_owned(), range.clone(), after.cloned());
        let (page, steps) = self
            .read(move |tables| tables.range(&index, &range, after.as_ref(), limit))
            .await?;
        self.steps.fetch_add(steps, Ordering::Relaxed);
        Ok(page)
    }

    async fn commit(&self, txn: &Txn) -> Result<CommitOutcome> {
        let outcomes = self.write(vec![txn.clone()]).await?;
        outcomes
            .into_iter()
            .next()
            .ok_or_else(|| StoreError::Invalid("no outcome".to_owned()))
    }

    async fn commit_many(&self, txns: &[Txn]) -> Result<Vec<CommitOutcome>> {
        self.write(txns.to_vec()).await
    }

    async fn export(&self, sink: &mut dyn Sink) -> Result<()> {
        let mut next = Some(export::Cursor::default());
        while let Some(cursor) = next {
            let (records, more) = self.read(move |tables| tables.portion(cursor)).await?;
            sink.take(records).await?;
            next = more;
        }
        Ok(())
    }

    async fn now(&self) -> Result<Timestamp> {
        Ok(self.clock.now())
    }

    async fn ping(&self) -> Result<()> {
        self.run(|connection, _| {
            connection
                .query_row("SELECT 1", [], |_| Ok(()))
                .map_err(failed)
        })
        .await
    }
}

/// A failure of the last step of a commit. Where writing itself failed, what reached the disk is not
/// known before the file is opened again.
fn unfinished(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::SystemIoFailure) => StoreError::Ambiguous {
            backend: BACKEND,
            reason: error.to_string(),
        },
        _ => failed(error),
    }
}

/// A failure of SQLite itself. None of them leaves a commit half-done: SQLite rolls back.
pub(crate) fn failed(error: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode;
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy) => "another process holds it; try again: ",
        Some(ErrorCode::DiskFull) => "the disk is full; free some space: ",
        Some(ErrorCode::ReadOnly) => "it may not be written: ",
        Some(ErrorCode::DatabaseCorrupt) => "the file is damaged; restore a copy: ",
        _ => "",
    };
    StoreError::Unavailable {
        backend: BACKEND,
        reason: format!("{hint}{error}"),
        source: Some(Box::new(error)),
    }
}
