//! Sessions: what a person's browser holds in place of a token. They end by time, by logging out,
//! and with the token that opened them.

use caio_core::access::{Role, SecretDigest};
use caio_core::time::rfc3339;
use caio_core::{Clock, IdSource};
use caio_state::{StateStore, StateStoreExt, Write};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{Token, secret};
use crate::error::Result;
use crate::history::Event;
use crate::records;
use crate::transition::commit;

/// How long a session lasts.
const LIFETIME: SignedDuration = SignedDuration::from_hours(12);

/// What opened a session; it ends when that no longer opens anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Holder {
    /// The token of the environment, by the digest that it had.
    Environment {
        /// SHA-256 of the token, hex.
        digest: String,
    },
    /// The link that the server printed for whoever can read its terminal.
    Link,
    /// A stored token.
    Token {
        /// Its id.
        id: String,
    },
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Whose it is.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// What opened it.
    pub holder: Holder,
    /// When it was opened, RFC 3339 UTC.
    pub created_at: String,
    /// When it ends, RFC 3339 UTC.
    pub expires_at: String,
}

impl Session {
    /// Whether it has not ended by time. An end that cannot be read has passed.
    pub(super) fn has_time(&self, now: Timestamp) -> bool {
        self.expires_at.parse().is_ok_and(|at: Timestamp| now < at)
    }
}

/// Sessions in the store.
#[derive(Debug, Clone, Copy)]
pub struct Sessions<'a> {
    /// Where they are kept.
    pub store: &'a dyn StateStore,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Ids, and the randomness of secrets.
    pub ids: &'a dyn IdSource,
}

impl Sessions<'_> {
    /// Opens one; answers the text that the browser keeps.
    pub async fn open(&self, name: &str, role: Role, holder: Holder) -> Result<SecretString> {
        let now = self.clock.now();
        let text = secret(self.ids);
        let session = Session {
            name: name.to_owned(),
            role,
            holder,
            created_at: rfc3339(now),
            expires_at: rfc3339(now + LIFETIME),
        };
        let mut writes = vec![Write::Put {
            key: records::session(&SecretDigest::of(&text).to_hex()),
            value: serde_json::to_vec(&session)?,
            expires_in: Some(LIFETIME),
        }];
        let event = Event::new(&self.ids.id(), now, name, "session.opened", role.as_str());
        writes.extend(event.writes()?);
        commit(self.store, self.ids, Vec::new(), writes).await?;
        Ok(text.into())
    }

    /// The session of this text, with the token that opened it where there is one; `None` when it
    /// has ended. Whether the token of the environment is still the same is the caller's to ask.
    pub async fn find(&self, text: &str) -> Result<Option<Session>> {
        let key = records::session(&SecretDigest::of(text).to_hex());
        let Some((session, _)) = self.store.get_json::<Session>(&key).await? else {
            return Ok(None);
        };
        let now = self.clock.now();
        if !session.has_time(now) {
            return Ok(None);
        }
        if let Holder::Token { id } = &session.holder {
            let token = self.store.get_json::<Token>(&records::token(id)).await?;
            if !token.is_some_and(|(token, _)| token.is_valid(now)) {
                return Ok(None);
            }
        }
        Ok(Some(session))
    }

    /// Ends it.
    pub async fn close(&self, text: &str) -> Result<()> {
        let key = records::session(&SecretDigest::of(text).to_hex());
        commit(self.store, self.ids, Vec::new(), vec![Write::Delete(key)]).await?;
        Ok(())
    }
}
