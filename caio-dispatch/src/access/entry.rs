//! What somebody came in with: who listens for longer may hear more only while it opens something.

use caio_state::{StateStore, StateStoreExt};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Holder, Session, Token};
use crate::error::Result;
use crate::records;

/// What somebody came in with; nothing, where everybody comes in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The token, or what opened the session.
    pub holder: Option<Holder>,
    /// SHA-256 of the session's text, hex, where it was a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

impl Entry {
    /// By a token of its own.
    pub const fn by(holder: Holder) -> Self {
        Self {
            holder: Some(holder),
            session: None,
        }
    }

    /// Whether it still opens something at `now`. The environment's token lives as long as the process.
    ///
    /// # Errors
    /// The store cannot be asked: nobody hears more then.
    pub async fn stands(&self, store: &dyn StateStore, now: Timestamp) -> Result<bool> {
        if let Some(digest) = &self.session {
            let session = store.get_json::<Session>(&records::session(digest)).await?;
            if !session.is_some_and(|(session, _)| session.has_time(now)) {
                return Ok(false);
            }
        }
        let Some(Holder::Token { id }) = &self.holder else {
            return Ok(true);
        };
        let token = store.get_json::<Token>(&records::token(id)).await?;
        Ok(token.is_some_and(|(token, _)| token.is_valid(now)))
    }

    /// Whether it rests on the stored token of this id.
    pub fn rests_on(&self, token: &str) -> bool {
        matches!(&self.holder, Some(Holder::Token { id }) if id == token)
    }
}

#[cfg(test)]
mod tests {
    use caio_core::Clock;
    use caio_core::access::{Role, SecretDigest};
    use caio_state::MemoryStore;
    use caio_state::conformance::{TestClock, TestIds};
    use jiff::SignedDuration;
    use secrecy::ExposeSecret;

    use super::*;
    use crate::access::{Sessions, Tokens};

    #[tokio::test]
    async fn a_session_stands_until_its_time_its_token_or_its_bearer_ends_it() {
        let clock = TestClock::noon();
        let store = MemoryStore::new(clock.clone());
        let ids = TestIds::default();
        let tokens = Tokens {
            store: &store,
            clock: &*clock,
            ids: &ids,
            by: "kim",
        };
        let sessions = Sessions {
            store: &store,
            clock: &*clock,
            ids: &ids,
        };
        let day = SignedDuration::from_hours(24);
        let (token, _) = tokens.create("lou", Role::Viewer, Some(day)).await.unwrap();
        let (other, _) = tokens.create("ray", Role::Viewer, None).await.unwrap();
        let by = |token: &Token| Holder::Token {
            id: token.id.clone(),
        };
        let opened = async |token: &Token| {
            let text = sessions.open("lou", Role::Viewer, by(token)).await.unwrap();
            let entry = Entry {
                holder: Some(by(token)),
                session: Some(SecretDigest::of(text.expose_secret()).to_hex()),
            };
            (text, entry)
        };
        let stand = async |entries: &[&Entry]| {
            let mut all = Vec::new();
            for entry in entries {
                all.push(entry.stands(&store, clock.now()).await.unwrap());
            }
            all
        };
        let (left, left_entry) = opened(&other).await;
        let (_, kept) = opened(&other).await;
        let direct = Entry::by(by(&token));
        let everybody = Entry::default();
        let all = [&left_entry, &kept, &direct, &everybody];
        assert_eq!(stand(&all).await, [true; 4]);
        sessions.close(left.expose_secret()).await.unwrap();
        assert_eq!(stand(&all).await, [false, true, true, true]);
        clock.advance(SignedDuration::from_hours(12));
        assert_eq!(stand(&all).await, [false, false, true, true]);
        clock.advance(SignedDuration::from_hours(12));
        assert_eq!(stand(&all).await, [false, false, false, true]);
        let (_, again) = opened(&other).await;
        let direct = Entry::by(by(&other));
        assert_eq!(stand(&[&again, &direct]).await, [true, true]);
        tokens.revoke(&other.id).await.unwrap();
        assert_eq!(stand(&[&again, &direct]).await, [false, false]);
    }
}
