//! Named leases with a holder, a time to live and a fence, built once for all backends.
//!
//! The fence grows with every acquisition: `max(last + 1, store time in µs)`, so that lost data
//! never lowers it. A holder that was paused past its time cannot commit: its fence is refused.

use caio_core::IdSource;
use caio_core::time::rfc3339;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::ext::StateStoreExt;
use crate::guard::later;
use crate::key::Key;
use crate::store::{StateStore, Version};
use crate::txn::{CommitOutcome, Guard, Txn, TxnId, Write};

/// A named lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    key: Key,
}

/// Proof that a lease was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Grows with every acquisition; guard every commit with it.
    pub fence: u64,
    /// End of its time unless renewed, store time.
    pub until: Timestamp,
    holder: String,
}

/// What stands in the store; kept after release, so that the fence never falls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeaseRecord {
    pub(crate) fence: u64,
    pub(crate) holder: String,
    pub(crate) reason: String,
    pub(crate) until: String,
    /// The same in microseconds, last: Redis' script finds it and the fence by their places.
    pub(crate) until_us: i64,
}

impl LeaseRecord {
    pub(crate) fn is_held(&self, now: Timestamp) -> bool {
        self.until_us > now.as_microsecond()
    }
}

impl Lease {
    /// The lease named `key`.
    pub const fn new(key: Key) -> Self {
        Self { key }
    }

    /// Takes it for `ttl` if it is free or its time has passed; otherwise says who has it, why and
    /// until when.
    pub async fn acquire(
        &self,
        store: &dyn StateStore,
        ids: &dyn IdSource,
        holder: &str,
        reason: &str,
        ttl: SignedDuration,
    ) -> Result<Result<Held, String>> {
        loop {
            let now = store.now().await?;
            let found = store.get_json::<LeaseRecord>(&self.key).await?;
            let (last, version) = match found {
                Some((record, _)) if record.is_held(now) => {
                    let LeaseRecord {
                        holder,
                        reason,
                        until,
                        ..
                    } = record;
                    return Ok(Err(format!("{holder} ({reason}, until {until})")));
                }
                Some((record, version)) => (record.fence, Some(version)),
                None => (0, None),
            };
            let micros = u64::try_from(now.as_microsecond()).unwrap_or(0);
            let next = last.checked_add(1).ok_or_else(|| StoreError::Corrupt {
                backend: "lease",
                key: self.key.to_string(),
                reason: "no fence is higher than the last one".to_owned(),
            })?;
            let held = Held {
                fence: micros.max(next),
                until: later(now, ttl),
                holder: holder.to_owned(),
            };
            if self
                .put(store, ids, &held, reason, held.until, version)
                .await?
            {
                return Ok(Ok(held));
            }
        }
    }

    /// Prolongs it by `ttl` from now; `false` when it was lost meanwhile.
    pub async fn renew(
        &self,
        store: &dyn StateStore,
        ids: &dyn IdSource,
        held: &Held,
        ttl: SignedDuration,
    ) -> Result<bool> {
        let until = later(store.now().await?, ttl);
        self.replace(store, ids, held, until).await
    }

    /// Gives it back; one that was lost meanwhile is left alone.
    pub async fn release(
        &self,
        store: &dyn StateStore,
        ids: &dyn IdSource,
        held: &Held,
    ) -> Result<()> {
        let now = store.now().await?;
        self.replace(store, ids, held, now).await.map(|_| ())
    }

    async fn replace(
        &self,
        store: &dyn StateStore,
        ids: &dyn IdSource,
        held: &Held,
        until: Timestamp,
    ) -> Result<bool> {
        let now = store.now().await?;
        match store.get_json::<LeaseRecord>(&self.key).await? {
            Some((record, version)) if record.fence == held.fence && record.is_held(now) => {
                self.put(store, ids, held, &record.reason, until, Some(version))
                    .await
            }
            _ => Ok(false),
        }
    }

    async fn put(
        &self,
        store: &dyn StateStore,
        ids: &dyn IdSource,
        held: &Held,
        reason: &str,
        until: Timestamp,
        version: Option<Version>,
    ) -> Result<bool> {
        let record = LeaseRecord {
            fence: held.fence,
            holder: held.holder.clone(),
            reason: reason.to_owned(),
            until: rfc3339(until),
            until_us: until.as_microsecond(),
        };
        let value = serde_json::to_vec(&record)
            .map_err(|error| StoreError::Invalid(format!("lease: {error}")))?;
        let guard = match version {
            Some(version) => Guard::Unchanged(self.key.clone(), version),
            None => Guard::Absent(self.key.clone()),
        };
        let write = Write::Put {
            key: self.key.clone(),
            value,
            expires_in: None,
        };
        let txn = Txn {
            id: TxnId(ids.id()),
            guards: vec![guard],
            writes: vec![write],
        };
        Ok(store.commit_surely(&txn).await? == CommitOutcome::Committed)
    }
}
