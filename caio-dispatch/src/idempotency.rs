//! Requests that may be sent again: who sends the same key again gets the first answer, and nothing
//! happens a second time.
//!
//! `(absent) -> in flight -> done`. A request holds its key by a lease while it is in flight, so that
//! a process that died keeps nobody out for ever.

use caio_core::time::rfc3339;
use caio_core::{Clock, IdSource};
use caio_state::{CommitOutcome, Guard, Key, StateStore, StateStoreExt, Version, Write};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{DispatchError, Result};
use crate::records;
use crate::transition::{commit, unchanged};

/// How long an answer is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// How long a request may take before another one with its key may begin.
const LEASE: SignedDuration = SignedDuration::from_mins(5);

/// Longest key, bytes.
pub const MAX_KEY: usize = 255;

/// An answer, as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Media type.
    pub content_type: String,
    /// Body; `None` for one that is not kept, such as one that holds a secret.
    pub body: Option<String>,
}

/// What is kept of a key.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    /// What was asked: SHA-256, hex.
    request: String,
    /// From then on another request may take over, RFC 3339 UTC; of no meaning once there is an answer.
    until: String,
    /// The answer, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<Answer>,
}

/// How a request with a key begins.
#[derive(Debug)]
pub enum Begun {
    /// It is the first: do it, then [`Requests::finish`] or [`Requests::forget`].
    First(Hold),
    /// It was answered before.
    Again(Answer),
    /// Another one with this key is under way.
    InFlight,
    /// The key was used for another request.
    Other,
}

/// The right to do what a key stands for.
#[derive(Debug, Clone)]
pub struct Hold {
    key: Key,
    request: String,
    version: Version,
}

/// The keys of requests in the store.
#[derive(Debug, Clone, Copy)]
pub struct Requests<'a> {
    /// Where they are kept.
    pub store: &'a dyn StateStore,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Ids of transactions.
    pub ids: &'a dyn IdSource,
}

impl Requests<'_> {
    /// Begins what `who` asks under `key`; `request` is all that makes it this request.
    ///
    /// # Errors
    /// The store cannot be asked: nothing may be done then.
    pub async fn begin(&self, who: &str, key: &str, request: &[&[u8]]) -> Result<Begun> {
        let key = records::idempotent(&digest(&[who.as_bytes(), key.as_bytes()]));
        let request = digest(request);
        let found = self.store.get_json::<Record>(&key).await?;
        let now = self.clock.now();
        if let Some((record, _)) = &found {
            if record.request != request {
                return Ok(Begun::Other);
            }
            if let Some(answer) = &record.answer {
                return Ok(Begun::Again(answer.clone()));
            }
            let is_over = |until: Timestamp| until <= now;
            if !record.until.parse().is_ok_and(is_over) {
                return Ok(Begun::InFlight);
            }
        }
        let record = Record {
            request: request.clone(),
            until: rfc3339(now + LEASE),
            answer: None,
        };
        let guard = unchanged(&key, found.as_ref().map(|(_, version)| version));
        if self.put(guard, &key, &record).await? != CommitOutcome::Committed {
            return Ok(Begun::InFlight);
        }
        match self.store.get_json::<Record>(&key).await? {
            Some((mine, version)) if mine.until == record.until => Ok(Begun::First(Hold {
                key,
                request,
                version,
            })),
            _ => Ok(Begun::InFlight),
        }
    }

    /// Keeps the answer for whoever sends the request again.
    pub async fn finish(&self, hold: &Hold, answer: Answer) -> Result<()> {
        let record = Record {
            request: hold.request.clone(),
            until: rfc3339(self.clock.now()),
            answer: Some(answer),
        };
        let guard = Guard::Unchanged(hold.key.clone(), hold.version.clone());
        match self.put(guard, &hold.key, &record).await? {
            CommitOutcome::Committed => Ok(()),
            CommitOutcome::Refused { .. } => Err(DispatchError::Conflict {
                what: "request",
                id: hold.key.to_string(),
            }),
        }
    }

    /// Frees the key: nothing was done under it.
    pub async fn forget(&self, hold: &Hold) -> Result<()> {
        let guards = vec![Guard::Unchanged(hold.key.clone(), hold.version.clone())];
        let writes = vec![Write::Delete(hold.key.clone())];
        commit(self.store, self.ids, guards, writes).await?;
        Ok(())
    }

    async fn put(&self, guard: Guard, key: &Key, record: &Record) -> Result<CommitOutcome> {
        let write = Write::Put {
            key: key.clone(),
            value: serde_json::to_vec(record)?,
            expires_in: Some(KEPT),
        };
        commit(self.store, self.ids, vec![guard], vec![write]).await
    }
}

/// SHA-256 over `parts`, each preceded by its length, as 64 hex digits.
fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    caio_core::identity::hex(&hasher.finalize())
}
