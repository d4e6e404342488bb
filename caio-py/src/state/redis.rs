//! The old system's keys in Redis, through the one store that caio has.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use caio_core::pytext::dumps;
use caio_state::{
    Access, CommitOutcome, Guard, Key, RedisOptions, RedisStore, StateStore as _, StateStoreExt,
    StoreError, Txn, TxnId, Version, Versioned, Write,
};
use jiff::SignedDuration;
use pyo3::prelude::*;
use serde_json::Value;

use super::merge::Merge;
use super::parse;
use crate::errors::{Class, check_signals};
use crate::runtime::{runtime, wait};

/// How long a daily record is kept (ST-11), as caio keeps it.
const DAILY: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Records read at once in a listing.
const PAGE: usize = 256;

/// Records whose last version is remembered; beyond, all are forgotten and saved unguarded.
const REMEMBERED: usize = 4096;

/// How often a record that keeps changing is united anew.
const ATTEMPTS: usize = 8;

/// A store, the process that its connection belongs to, and what was read through it.
pub(crate) struct Redis {
    options: RedisOptions,
    shown: String,
    connection: Mutex<(u32, Arc<RedisStore>)>,
    seen: Mutex<HashMap<Key, Option<(Version, Value)>>>,
}

impl Redis {
    pub(crate) fn open(py: Python<'_>, url: &str, prefix: &str) -> PyResult<Self> {
        let options = RedisOptions::parse(url, Some(prefix)).map_err(store_error)?;
        let store = connect(py, &options)?;
        Ok(Self {
            shown: store.to_string(),
            options,
            connection: Mutex::new((std::process::id(), store)),
            seen: Mutex::new(HashMap::new()),
        })
    }

    /// The connection of this process: a child of a fork never speaks on its parent's.
    pub(crate) fn store(&self, py: Python<'_>) -> PyResult<Arc<RedisStore>> {
        let mut connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        if connection.0 != process {
            let parents =
                std::mem::replace(&mut *connection, (process, connect(py, &self.options)?));
            // Its tasks live in the parent: it is left as it is, not dropped.
            Box::leak(Box::new(parents));
        }
        Ok(Arc::clone(&connection.1))
    }

    pub(crate) fn ping(&self, py: Python<'_>) -> PyResult<()> {
        let store = self.store(py)?;
        wait(py, async move { store.ping().await.map_err(store_error) })
    }

    pub(crate) fn read(&self, py: Python<'_>, key: &Key) -> PyResult<Option<Value>> {
        let store = self.store(py)?;
        let found = wait(py, async { one(&store, key).await })?;
        let found = found
            .map(|found| Ok::<_, PyErr>((found.version.clone(), value(key, &found)?)))
            .transpose()?;
        let record = found.as_ref().map(|(_, record)| record.clone());
        self.remember(key, found);
        Ok(record)
    }

    /// Puts a record where there is none, and answers what stands there then.
    pub(crate) fn create(
        &self,
        py: Python<'_>,
        key: &Key,
        record: &Value,
        daily: bool,
    ) -> PyResult<Value> {
        let store = self.store(py)?;
        let guards = vec![Guard::Absent(key.clone())];
        let writes = vec![put(key, record, daily)];
        wait(py, async { commit(&store, guards, writes).await })?;
        // Ours, or that of whoever was first.
        Ok(self.read(py, key)?.unwrap_or_else(|| record.clone()))
    }

    /// Saves a record over the one that was read; with `merge`, also over one that has changed since.
    pub(crate) fn save(
        &self,
        py: Python<'_>,
        key: &Key,
        record: &Value,
        daily: bool,
        merge: Option<Merge>,
    ) -> PyResult<Value> {
        let store = self.store(py)?;
        let seen = self
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned();
        let base = seen.clone();
        let mut guard = seen.map(|seen| unchanged(key, seen.as_ref().map(|(version, _)| version)));
        let mut merged = record.clone();
        for _ in 0..ATTEMPTS {
            let guards: Vec<Guard> = guard.clone().into_iter().collect();
            let writes = vec![put(key, &merged, daily)];
            let outcome = wait(py, async { commit(&store, guards, writes).await })?;
            if outcome == CommitOutcome::Committed {
                let found = wait(py, async { one(&store, key).await })?;
                let ours = found.filter(|found| found.value == dumps(&merged).as_bytes());
                // Where somebody was faster, the next save here has to read first.
                let version = ours.map_or(Version("unread".to_owned()), |found| found.version);
                self.remember(key, Some((version, merged.clone())));
                return Ok(merged);
            }
            let found = wait(py, async { one(&store, key).await })?;
            let Some(merge) = merge else {
                self.forget(key);
                return Err(conflict(key));
            };
            guard = Some(unchanged(key, found.as_ref().map(|found| &found.version)));
            let theirs = found
                .map(|found| value(key, &found))
                .transpose()?
                .unwrap_or(Value::Null);
            let base = base.clone().flatten().map_or(Value::Null, |(_, base)| base);
            merged = merge(&base, record, &theirs);
        }
        self.forget(key);
        Err(conflict(key))
    }

    pub(crate) fn list(&self, py: Python<'_>, prefix: &str) -> PyResult<Vec<Value>> {
        let store = self.store(py)?;
        wait(py, async {
            let mut records = Vec::new();
            let mut after = None;
            loop {
                let page = store
                    .scan(prefix, after.as_ref(), PAGE)
                    .await
                    .map_err(store_error)?;
                for (key, found) in &page.items {
                    records.push(value(key, found)?);
                }
                check_signals()?;
                match page.next {
                    Some(next) => after = Some(next),
                    None => return Ok(records),
                }
            }
        })
    }

    pub(crate) fn lock(
        &self,
        py: Python<'_>,
        motion: &str,
        token: &str,
        seconds: i64,
    ) -> PyResult<bool> {
        let store = self.store(py)?;
        let key = lock_key(motion);
        let put = Write::Put {
            key: key.clone(),
            value: token.as_bytes().to_vec(),
            expires_in: Some(SignedDuration::from_secs(seconds)),
        };
        let outcome = wait(py, async {
            commit(&store, vec![Guard::Absent(key)], vec![put]).await
        })?;
        Ok(outcome == CommitOutcome::Committed)
    }

    pub(crate) fn unlock(&self, py: Python<'_>, motion: &str, token: &str) -> PyResult<()> {
        let store = self.store(py)?;
        let key = lock_key(motion);
        wait(py, async {
            match one(&store, &key).await? {
                Some(held) if held.value == token.as_bytes() => {
                    let guards = vec![Guard::Unchanged(key.clone(), held.version)];
                    commit(&store, guards, vec![Write::Delete(key.clone())])
                        .await
                        .map(|_| ())
                }
                _ => Ok(()),
            }
        })
    }

    fn remember(&self, key: &Key, found: Option<(Version, Value)>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        seen.insert(key.clone(), found);
    }

    fn forget(&self, key: &Key) {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }
}

impl fmt::Display for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.shown)
    }
}

fn connect(py: Python<'_>, options: &RedisOptions) -> PyResult<Arc<RedisStore>> {
    let _entered = runtime(py)?.enter();
    let store = RedisStore::open(options.clone(), Access::ReadWrite).map_err(store_error)?;
    Ok(Arc::new(store))
}

async fn one(store: &RedisStore, key: &Key) -> PyResult<Option<Versioned>> {
    let found = store
        .get(std::slice::from_ref(key))
        .await
        .map_err(store_error)?;
    Ok(found.into_iter().next().flatten())
}

async fn commit(
    store: &RedisStore,
    guards: Vec<Guard>,
    writes: Vec<Write>,
) -> PyResult<CommitOutcome> {
    let txn = Txn {
        id: TxnId(uuid::Uuid::now_v7().simple().to_string()),
        guards,
        writes,
    };
    store.commit_surely(&txn).await.map_err(store_error)
}

/// The text that the old system would have written.
fn put(key: &Key, record: &Value, daily: bool) -> Write {
    Write::Put {
        key: key.clone(),
        value: dumps(record).into_bytes(),
        expires_in: daily.then_some(DAILY),
    }
}

fn unchanged(key: &Key, version: Option<&Version>) -> Guard {
    match version {
        None => Guard::Absent(key.clone()),
        Some(version) => Guard::Unchanged(key.clone(), version.clone()),
    }
}

fn value(key: &Key, found: &Versioned) -> PyResult<Value> {
    parse(key.as_str(), &String::from_utf8_lossy(&found.value))
}

fn lock_key(motion: &str) -> Key {
    Key::new(&["locks", "operator", motion])
}

fn conflict(key: &Key) -> PyErr {
    Class::StateConflict.error(
        "store.conflict",
        format!("{key} has changed since it was read here; read it again and decide anew"),
    )
}

#[expect(clippy::needless_pass_by_value, reason = "it stands behind map_err")]
pub(crate) fn store_error(error: StoreError) -> PyErr {
    let class = match &error {
        StoreError::Corrupt { .. } => Class::StateCorrupt,
        StoreError::Invalid(_) => Class::InvalidInput,
        _ => Class::StateUnavailable,
    };
    class.error(error.code(), error.to_string())
}
