//! The keys that providers' requests are checked with, as the store keeps them: digests, the newest
//! first, two at most.

use caio_core::time::rfc3339;
use caio_core::webhook::Source;
use caio_core::webhook::signature::{KeyDigest, fresh_key};
use caio_core::{Clock, IdSource};
use caio_state::{CommitOutcome, StateStore, StateStoreExt, Write};
use serde::{Deserialize, Serialize};

use crate::error::{DispatchError, Result};
use crate::history::Event;
use crate::records;
use crate::transition::{commit, unchanged};

/// Most keys of one provider that are valid at once.
const MOST: usize = 2;

/// A key, without what would let anybody use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredKey {
    /// Its last four characters, by which a person knows it.
    pub ends_with: String,
    /// What it is compared by.
    pub digest: KeyDigest,
    /// Who made it.
    pub by: String,
    /// When, RFC 3339 UTC.
    pub at: String,
}

/// The keys of one provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// The newest first.
    pub keys: Vec<StoredKey>,
}

/// The keys of a provider.
pub async fn keys_of(store: &dyn StateStore, source: Source) -> Result<KeyRecord> {
    let found = store.get_json(&records::webhook_keys(source)).await?;
    Ok(found.map_or_else(KeyRecord::default, |(record, _)| record))
}

/// Makes a key, which is returned here and never again. The one before stays valid; the one before
/// that does not.
pub async fn rotate(
    store: &dyn StateStore,
    clock: &dyn Clock,
    ids: &dyn IdSource,
    source: Source,
    by: &str,
) -> Result<(String, KeyRecord)> {
    let key = fresh_key(ids.random());
    let new = StoredKey {
        ends_with: key[key.len() - 4..].to_owned(),
        digest: KeyDigest::of(&key),
        by: by.to_owned(),
        at: rfc3339(clock.now()),
    };
    let record = change(
        store,
        clock,
        ids,
        (source, by, "webhook.key_made"),
        |record| {
            record.keys.insert(0, new.clone());
            record.keys.truncate(MOST);
        },
    );
    Ok((key, record.await?))
}

/// Takes back every key but the newest.
pub async fn retire(
    store: &dyn StateStore,
    clock: &dyn Clock,
    ids: &dyn IdSource,
    source: Source,
    by: &str,
) -> Result<KeyRecord> {
    let who = (source, by, "webhook.key_retired");
    change(store, clock, ids, who, |record| record.keys.truncate(1)).await
}

async fn change(
    store: &dyn StateStore,
    clock: &dyn Clock,
    ids: &dyn IdSource,
    (source, by, what): (Source, &str, &str),
    act: impl Fn(&mut KeyRecord),
) -> Result<KeyRecord> {
    let key = records::webhook_keys(source);
    for _ in 0..5 {
        let found = store.get_json::<KeyRecord>(&key).await?;
        let guard = unchanged(&key, found.as_ref().map(|(_, version)| version));
        let mut record = found.map_or_else(KeyRecord::default, |(record, _)| record);
        act(&mut record);
        let event = Event::new(&ids.id(), clock.now(), by, what, source.as_str());
        let mut writes = event.writes()?;
        writes.push(Write::Put {
            key: key.clone(),
            value: serde_json::to_vec(&record)?,
            expires_in: None,
        });
        if commit(store, ids, vec![guard], writes).await? == CommitOutcome::Committed {
            return Ok(record);
        }
    }
    Err(DispatchError::Conflict {
        what: "webhook keys",
        id: source.to_string(),
    })
}
