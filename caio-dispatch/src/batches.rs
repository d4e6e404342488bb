//! Batches in the store: what a person approves, and every edge of its life.

mod contents;

use caio_core::batch::{Approval, Batch, BatchStatus, SealKeys};
use caio_core::terms::Motion;
use caio_core::{Clock, IdSource};
use caio_state::{Page, Range, RangeEntry, StateStore, StateStoreExt, Write};

use crate::error::{DispatchError, Result};
use crate::history::Event;
use crate::records;
use crate::transition::{commit, transition};
pub use contents::{Content, contents};

/// Decisions about batches, for one person who decides.
#[derive(Debug, Clone, Copy)]
pub struct Batches<'a> {
    /// Where batches are kept.
    pub store: &'a dyn StateStore,
    /// Time of the decision.
    pub clock: &'a dyn Clock,
    /// Ids of events and transactions.
    pub ids: &'a dyn IdSource,
    /// Who decides.
    pub by: &'a str,
}

impl Batches<'_> {
    /// Stores a new batch.
    pub async fn add(&self, batch: &Batch) -> Result<()> {
        let key = records::batch(&batch.id);
        let mut writes = put_batch(batch, None)?;
        let event = self
            .event("batch.created", batch)
            .because(format!("{} items", batch.items.len()));
        writes.extend(event.writes()?);
        let guards = vec![caio_state::Guard::Absent(key)];
        match commit(self.store, self.ids, guards, writes).await? {
            caio_state::CommitOutcome::Committed => Ok(()),
            caio_state::CommitOutcome::Refused { .. } => Err(DispatchError::Conflict {
                what: "batch",
                id: batch.id.clone(),
            }),
        }
    }

    /// Approves and seals; `seen` is the digest that the reviewer saw, `shown` the batch itself
    /// where it is at hand.
    ///
    /// # Errors
    /// `batch.drafts_changed` where a draft is not what the batch was made of, and what
    /// [`Batch::approve`] refuses.
    pub async fn approve(
        &self,
        id: &str,
        seen: &str,
        shown: Option<&Batch>,
        keys: &SealKeys,
    ) -> Result<Batch> {
        let approval = Approval {
            by: self.by,
            seen_digest: seen,
            shown,
            keys,
        };
        self.approve_with(id, &approval, "").await
    }

    /// The same for a caller who does not know the digest; the record says so.
    ///
    /// # Errors
    /// As [`Self::approve`].
    pub async fn approve_unseen(&self, id: &str, keys: &SealKeys) -> Result<Batch> {
        let batch = one(self.store, id).await?;
        let approval = Approval {
            by: self.by,
            seen_digest: &batch.digest,
            shown: Some(&batch),
            keys,
        };
        self.approve_with(id, &approval, "without the digest of what was seen")
            .await
    }

    async fn approve_with(&self, id: &str, approval: &Approval<'_>, note: &str) -> Result<Batch> {
        let batch = one(self.store, id).await?;
        // A refusal of the batch itself comes first.
        batch.approve(approval, self.clock.now())?;
        contents::check(self.store, &batch).await?;
        self.change(id, "batch.approved", note, |batch| {
            Ok(batch.approve(approval, self.clock.now())?)
        })
        .await
    }

    /// Says no to a pending or an approved batch.
    pub async fn reject(&self, id: &str, reason: &str) -> Result<Batch> {
        self.change(id, "batch.rejected", reason, |batch| {
            Ok(batch.reject(self.by, reason, self.clock.now())?)
        })
        .await
    }

    /// Takes an approval back.
    pub async fn revoke(&self, id: &str, reason: &str) -> Result<Batch> {
        self.change(id, "batch.revoked", reason, |batch| {
            Ok(batch.revoke(self.by, reason, self.clock.now())?)
        })
        .await
    }

    /// Expires every pending or approved batch whose time has passed; answers them.
    pub async fn expire_stale(&self) -> Result<Vec<Batch>> {
        let mut expired = Vec::new();
        for status in [BatchStatus::Pending, BatchStatus::Approved] {
            for batch in list(self.store, status).await? {
                if batch.check_expiry(self.clock.now()).is_err() {
                    let id = batch.id.clone();
                    let change = self.change(&id, "batch.expired", "", |batch| {
                        Ok(batch.expire(self.clock.now())?)
                    });
                    expired.push(change.await?);
                }
            }
        }
        Ok(expired)
    }

    async fn change(
        &self,
        id: &str,
        kind: &str,
        reason: &str,
        decide: impl Fn(&Batch) -> Result<Batch>,
    ) -> Result<Batch> {
        transition(
            self.store,
            self.ids,
            "batch",
            id,
            &records::batch(id),
            |batch: Batch| {
                let next = decide(&batch)?;
                let mut writes = put_batch(&next, Some(batch.status))?;
                writes.extend(self.event(kind, &next).because(reason).writes()?);
                Ok((next, writes))
            },
        )
        .await
    }

    fn event(&self, kind: &str, batch: &Batch) -> Event {
        Event::new(&self.ids.id(), self.clock.now(), self.by, kind, &batch.id)
    }
}

/// One batch, also one that was put away.
pub async fn one(store: &dyn StateStore, id: &str) -> Result<Batch> {
    let keys = [records::batch(id), records::archived_batch(id)];
    match store.get_all_json(&keys).await?.into_iter().next() {
        Some(batch) => Ok(batch),
        None => Err(DispatchError::NotFound {
            what: "batch",
            id: id.to_owned(),
        }),
    }
}

/// The batches in one status, newest first.
pub async fn list(store: &dyn StateStore, status: BatchStatus) -> Result<Vec<Batch>> {
    let range = Range {
        descending: true,
        ..Range::default()
    };
    Ok(store
        .index_json(&records::batch_index(status), &range)
        .await?)
}

/// A page of the batches in one status, newest first.
pub async fn page(
    store: &dyn StateStore,
    status: BatchStatus,
    after: Option<&RangeEntry>,
    limit: usize,
) -> Result<Page<Batch, RangeEntry>> {
    let index = records::batch_index(status);
    Ok(store.newest_json(&index, after, limit).await?)
}

/// The newest batch of `motion` (any, for `all`) in one status.
pub async fn newest(
    store: &dyn StateStore,
    status: BatchStatus,
    motion: Motion,
) -> Result<Option<Batch>> {
    let batches = list(store, status).await?;
    Ok(batches
        .into_iter()
        .find(|batch| motion == Motion::All || batch.motion == motion))
}

/// Writes that store `batch` and move it from the index of `before` to that of its status.
pub(crate) fn put_batch(batch: &Batch, before: Option<BatchStatus>) -> Result<Vec<Write>> {
    let key = records::batch(&batch.id);
    let mut writes = Vec::with_capacity(3);
    if let Some(before) = before
        && before != batch.status
    {
        writes.push(Write::Unindex {
            index: records::batch_index(before),
            key: key.clone(),
        });
    }
    writes.push(Write::Index {
        index: records::batch_index(batch.status),
        order: format!("{}|{}", batch.created_at, batch.id),
        key: key.clone(),
    });
    writes.push(Write::Put {
        key,
        value: serde_json::to_vec(batch)?,
        expires_in: None,
    });
    Ok(writes)
}
