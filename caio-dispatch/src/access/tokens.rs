//! Tokens: named, with a role; shown once, kept as a digest, revoked without a restart.

use caio_core::access::{Role, SecretDigest, token_id, token_text};
use caio_core::time::rfc3339;
use caio_core::{Clock, IdSource};
use caio_state::{CommitOutcome, Guard, Range, StateStore, StateStoreExt, Write};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::secret;
use crate::error::{DispatchError, Result};
use crate::history::Event;
use crate::records;
use crate::transition::{commit, transition};

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Id, part of the token's text.
    pub id: String,
    /// Whose it is; what approvals are recorded under.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// SHA-256 of the whole text, hex.
    pub digest: String,
    /// When it was made, RFC 3339 UTC.
    pub created_at: String,
    /// Who made it.
    pub created_by: String,
    /// From then on it is refused, RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// When it was revoked, RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    /// Who revoked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_by: Option<String>,
}

impl Token {
    /// Whether it opens anything at `now`. An expiry that cannot be read has passed.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        let has_time = |expiry: &String| expiry.parse().is_ok_and(|at: Timestamp| now < at);
        self.revoked_at.is_none() && self.expires_at.as_ref().is_none_or(has_time)
    }

    /// Writes that store it and its place in the list.
    pub(crate) fn writes(&self) -> Result<Vec<Write>> {
        let key = records::token(&self.id);
        Ok(vec![
            Write::Put {
                key: key.clone(),
                value: serde_json::to_vec(self)?,
                expires_in: None,
            },
            Write::Index {
                index: records::TOKEN_INDEX.to_owned(),
                order: format!("{}|{}", self.created_at, self.id),
                key,
            },
        ])
    }
}

/// Decisions about tokens, for one person who decides.
#[derive(Debug, Clone, Copy)]
pub struct Tokens<'a> {
    /// Where they are kept.
    pub store: &'a dyn StateStore,
    /// Time of the decision.
    pub clock: &'a dyn Clock,
    /// Ids, and the randomness of secrets.
    pub ids: &'a dyn IdSource,
    /// Who decides.
    pub by: &'a str,
}

impl Tokens<'_> {
    /// Makes one; its text is known to the caller alone. Several may bear one name, so that two are
    /// valid while a secret is exchanged.
    ///
    /// # Errors
    /// A name that is empty, longer than 64 characters, or not plain text.
    pub async fn create(
        &self,
        name: &str,
        role: Role,
        expires_in: Option<SignedDuration>,
    ) -> Result<(Token, SecretString)> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
            return Err(DispatchError::Refused {
                code: "token.name",
                reason: "a token needs a name of 1 to 64 printable characters".to_owned(),
            });
        }
        let now = self.clock.now();
        let id = self.ids.id();
        let text = token_text(&id, &secret(self.ids));
        let token = Token {
            digest: SecretDigest::of(&text).to_hex(),
            name: name.to_owned(),
            role,
            created_at: rfc3339(now),
            created_by: self.by.to_owned(),
            expires_at: expires_in.map(|it| rfc3339(now + it)),
            revoked_at: None,
            revoked_by: None,
            id,
        };
        let key = records::token(&token.id);
        let mut writes = token.writes()?;
        let event = self.event("token.created", &token, now);
        writes.extend(event.because(format!("{name}, {role}")).writes()?);
        match commit(self.store, self.ids, vec![Guard::Absent(key)], writes).await? {
            CommitOutcome::Committed => Ok((token, text.into())),
            CommitOutcome::Refused { .. } => Err(DispatchError::Conflict {
                what: "token",
                id: token.id,
            }),
        }
    }

    /// Ends it, and with it every session that it opened. Revoking it again changes nothing.
    pub async fn revoke(&self, id: &str) -> Result<Token> {
        let key = records::token(id);
        let decide = |token: Token| {
            let now = self.clock.now();
            let mut next = token.clone();
            if next.revoked_at.is_none() {
                next.revoked_at = Some(rfc3339(now));
                next.revoked_by = Some(self.by.to_owned());
            }
            let mut writes = next.writes()?;
            if token.revoked_at.is_none() {
                let event = self.event("token.revoked", &next, now);
                writes.extend(event.because(&next.name).writes()?);
            }
            Ok((next, writes))
        };
        transition(self.store, self.ids, "token", id, &key, decide).await
    }

    /// All of them, the oldest first, those that were revoked as well.
    pub async fn list(&self) -> Result<Vec<Token>> {
        Ok(self
            .store
            .index_json(records::TOKEN_INDEX, &Range::default())
            .await?)
    }

    fn event(&self, kind: &str, token: &Token, now: Timestamp) -> Event {
        Event::new(&self.ids.id(), now, self.by, kind, &token.id)
    }
}

/// The token that this text is of, if it is valid at `now`.
///
/// # Errors
/// The store cannot be asked: nobody comes in then.
pub async fn check(store: &dyn StateStore, text: &str, now: Timestamp) -> Result<Option<Token>> {
    let Some(id) = token_id(text) else {
        return Ok(None);
    };
    let found = store.get_json::<Token>(&records::token(id)).await?;
    let given = SecretDigest::of(text);
    let opens = |token: &Token| {
        SecretDigest::from_hex(&token.digest).is_some_and(|digest| digest.matches(&given))
            && token.is_valid(now)
    };
    Ok(found.map(|(token, _)| token).filter(opens))
}
