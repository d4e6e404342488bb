//! What shadow runs would have sent, kept beside what was sent later.
//!
//! The records stand under `caio:shadow:` and nothing that sends reads them. Each ends by itself after
//! [`KEPT`].

mod diff;

use std::sync::Arc;

use caio_core::batch::BatchStatus;
use caio_core::time::rfc3339;
use caio_core::{Clock, IdSource};
use caio_state::{Key, Range, StateStore, StateStoreExt, Write};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::channel::{Channel, Handover, KeptChannel};
use crate::error::{DispatchError, Result};
use crate::history::Event;
use crate::operator::RunReport;
use crate::records;
use crate::transition::commit;

pub use diff::{Diff, Difference, diff};

/// How long a shadow run, and what was sent of its batch, is kept: 30 days.
pub const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Calls written in one transaction.
const TOGETHER: usize = 50;

/// Places of ended runs that are taken out of the index at a time.
const ENDED: usize = 100;

/// The newest shadow run of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowRun {
    /// The batch.
    pub batch: String,
    /// Id of the run.
    pub run: String,
    /// When, RFC 3339 UTC.
    pub at: String,
    /// Who.
    pub by: String,
    /// When the record ends, RFC 3339 UTC.
    pub until: String,
    /// What the batch would have become.
    pub status: BatchStatus,
    /// Why the run ended early, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// Every item.
    pub items: Vec<ShadowItem>,
    /// Calls that would have been made.
    pub calls: usize,
}

/// What would have become of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowItem {
    /// The draft.
    pub draft: String,
    /// To whom.
    pub recipient: String,
    /// As a run reports it; `accepted` means that it would have been handed over.
    pub state: String,
    /// Why, where it would not.
    pub detail: String,
}

/// Keeps a shadow run in the store that decides; it takes the place of an earlier one of its batch.
pub async fn keep(
    store: &dyn StateStore,
    (clock, ids): (&dyn Clock, &dyn IdSource),
    by: &str,
    report: &RunReport,
    handed: &[Handover],
) -> Result<ShadowRun> {
    let now = clock.now();
    let until = now.checked_add(KEPT).unwrap_or(now);
    let items = report.items.iter().map(|item| ShadowItem {
        draft: item.draft.clone(),
        recipient: item.recipient.clone(),
        state: item.state.to_owned(),
        detail: item.detail.clone(),
    });
    let run = ShadowRun {
        batch: report.batch.clone(),
        run: report.run.clone(),
        at: rfc3339(now),
        by: by.to_owned(),
        until: rfc3339(until),
        status: report.status,
        stopped: report.stopped.clone(),
        items: items.collect(),
        calls: handed.len(),
    };
    let put = |key: Key, value: Vec<u8>| Write::Put {
        key,
        value,
        expires_in: Some(KEPT),
    };
    // Calls stand under the run, which nobody knows of before the last commit.
    let mut writes = Vec::new();
    for (number, handover) in handed.iter().enumerate() {
        let key = records::shadow_call(&run.run, number);
        writes.push(put(key, serde_json::to_vec(handover)?));
        if writes.len() == TOGETHER {
            commit(store, ids, Vec::new(), std::mem::take(&mut writes)).await?;
        }
    }
    let key = records::shadow(&run.batch);
    writes.push(put(key.clone(), serde_json::to_vec(&run)?));
    writes.push(Write::Index {
        index: records::SHADOW_INDEX.to_owned(),
        order: format!("{}|{}", run.at, run.batch),
        key,
    });
    writes.extend(ended(store, &rfc3339(now - KEPT)).await?);
    let event = Event::new(&ids.id(), now, by, "batch.shadowed", &run.batch);
    writes.extend(event.because(run.run.as_str()).writes()?);
    commit(store, ids, Vec::new(), writes).await?;
    Ok(run)
}

/// Takes runs out of the index whose records have ended, the oldest first.
async fn ended(store: &dyn StateStore, before: &str) -> Result<Vec<Write>> {
    let range = Range {
        until: Some(before.to_owned()),
        ..Range::default()
    };
    let page = store
        .range(records::SHADOW_INDEX, &range, None, ENDED)
        .await?;
    let unindex = page.items.into_iter().map(|entry| Write::Unindex {
        index: records::SHADOW_INDEX.to_owned(),
        key: entry.key,
    });
    Ok(unindex.collect())
}

/// The newest shadow run of each batch, newest first.
pub async fn list(store: &dyn StateStore) -> Result<Vec<ShadowRun>> {
    let range = Range {
        descending: true,
        ..Range::default()
    };
    Ok(store.index_json(records::SHADOW_INDEX, &range).await?)
}

/// The newest shadow run of a batch, and what it would have handed over.
///
/// # Errors
/// [`DispatchError::NotFound`] where there is none, or it has ended.
pub async fn one(store: &dyn StateStore, batch: &str) -> Result<(ShadowRun, Vec<Handover>)> {
    let found = store.get_json::<ShadowRun>(&records::shadow(batch)).await?;
    let Some((run, _)) = found else {
        return Err(DispatchError::NotFound {
            what: "shadow run of batch",
            id: batch.to_owned(),
        });
    };
    let calls: Vec<Key> = (0..run.calls)
        .map(|number| records::shadow_call(&run.run, number))
        .collect();
    let handed = store.get_all_json(&calls).await?;
    Ok((run, handed))
}

/// What was handed over of a batch since it was run in shadow.
pub async fn sent(store: &dyn StateStore, batch: &str) -> Result<Vec<Handover>> {
    let prefix = format!("{}:", records::sent(batch, ""));
    let mut sent = Vec::new();
    let mut after: Option<Key> = None;
    loop {
        let page = store.scan(&prefix, after.as_ref(), TOGETHER).await?;
        let keys: Vec<Key> = page.items.into_iter().map(|(key, _)| key).collect();
        sent.extend(store.get_all_json::<Handover>(&keys).await?);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(sent),
        }
    }
}

/// Channels that keep what they hand over, where `batch` was run in shadow before; else as they are.
pub async fn kept<K: Ord>(
    store: &Arc<dyn StateStore>,
    ids: &Arc<dyn IdSource>,
    batch: &str,
    channels: std::collections::BTreeMap<K, Arc<dyn Channel>>,
) -> Result<std::collections::BTreeMap<K, Arc<dyn Channel>>> {
    let known = store.get(&[records::shadow(batch)]).await?;
    if known.iter().all(Option::is_none) {
        return Ok(channels);
    }
    let keep = |channel| {
        let kept = KeptChannel::new(channel, Arc::clone(store), Arc::clone(ids), batch);
        Arc::new(kept) as Arc<dyn Channel>
    };
    let channels = channels.into_iter();
    Ok(channels
        .map(|(key, channel)| (key, keep(channel)))
        .collect())
}
