//! The shared stop flag: while it is set, no claim commits, whatever process asks.

use caio_core::IdSource;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::ext::StateStoreExt;
use crate::key::Key;
use crate::store::StateStore;
use crate::txn::{Txn, TxnId, Write};

/// Who stopped everything, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Who.
    pub by: String,
    /// When, RFC 3339 UTC.
    pub at: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// Name of the flag.
pub(crate) const KEY: &str = "caio:stop";

/// Name of the flag.
pub fn key() -> Key {
    Key::stored(KEY)
}

/// The flag, if it is set. One that is set and cannot be read is an error, never *clear*.
pub async fn read(store: &dyn StateStore) -> Result<Option<Stop>> {
    Ok(store.get_json(&key()).await?.map(|(stop, _)| stop))
}

/// The write that sets it.
pub fn set(stop: &Stop) -> Write {
    let value = serde_json::to_vec(stop).unwrap_or_else(|_| b"{}".to_vec());
    Write::Put {
        key: key(),
        value,
        expires_in: None,
    }
}

/// The write that clears it.
pub fn clear() -> Write {
    Write::Delete(key())
}

/// Commits writes without guards: stopping must not depend on anything else.
pub async fn commit(store: &dyn StateStore, ids: &dyn IdSource, writes: Vec<Write>) -> Result<()> {
    store
        .commit_surely(&Txn {
            id: TxnId(ids.id()),
            guards: Vec::new(),
            writes,
        })
        .await
        .map(|_| ())
}
