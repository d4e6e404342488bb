//! Tickets: what opens one socket, once, soon after somebody asked for it. A browser cannot send a
//! header with a socket, and a token does not belong into an address.

use caio_core::access::{Role, SecretDigest};
use caio_core::{Clock, IdSource};
use caio_state::{CommitOutcome, Guard, StateStore, StateStoreExt, Write};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{Entry, secret};
use crate::error::Result;
use crate::records;
use crate::transition::commit;

/// How long a ticket can be used.
pub const LIFETIME: SignedDuration = SignedDuration::from_secs(30);

/// Whom a ticket was given to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// What they came in with; the socket ends when that opens nothing any more.
    pub entry: Entry,
    /// When it can no longer be used.
    pub until: Timestamp,
}

/// Tickets in the store.
#[derive(Debug, Clone, Copy)]
pub struct Tickets<'a> {
    /// Where they are kept.
    pub store: &'a dyn StateStore,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Ids, and the randomness of secrets.
    pub ids: &'a dyn IdSource,
}

impl Tickets<'_> {
    /// Gives one out.
    pub async fn give(&self, name: &str, role: Role, entry: Entry) -> Result<SecretString> {
        let text = secret(self.ids);
        let ticket = Ticket {
            name: name.to_owned(),
            role,
            entry,
            until: self.clock.now() + LIFETIME,
        };
        let write = Write::Put {
            key: records::ticket(&SecretDigest::of(&text).to_hex()),
            value: serde_json::to_vec(&ticket)?,
            expires_in: Some(LIFETIME),
        };
        commit(self.store, self.ids, Vec::new(), vec![write]).await?;
        Ok(text.into())
    }

    /// Uses one up; `None` for a text that opens nothing, or does not any more.
    pub async fn take(&self, text: &str) -> Result<Option<Ticket>> {
        let key = records::ticket(&SecretDigest::of(text).to_hex());
        let Some((ticket, _)) = self.store.get_json::<Ticket>(&key).await? else {
            return Ok(None);
        };
        let guards = vec![Guard::Present(key.clone())];
        let outcome = commit(self.store, self.ids, guards, vec![Write::Delete(key)]).await?;
        let is_good = outcome == CommitOutcome::Committed && self.clock.now() < ticket.until;
        Ok(is_good.then_some(ticket))
    }
}
