//! An event as the store keeps it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use caio_core::terms::UnknownTerm;
use caio_core::webhook::signature::Proof;
use caio_core::webhook::{Event, Kind, Malformed, Source, Trust, parse};
use caio_state::{Key, Write};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::records;

/// Where an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventState {
    /// It has had its effect.
    Applied,
    /// It could have none: a person has to look.
    Dead,
    /// A person decided that it has none.
    Dismissed,
    /// Nobody knows who sent it: it holds a lead, if anything, until a person has looked.
    Held,
    /// Its effect is still to come.
    Pending,
}

impl EventState {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Applied,
        Self::Dead,
        Self::Dismissed,
        Self::Held,
        Self::Pending,
    ];

    /// The word in records and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Dead => "dead",
            Self::Dismissed => "dismissed",
            Self::Held => "held",
            Self::Pending => "pending",
        }
    }
}

impl std::fmt::Display for EventState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for EventState {
    type Err = UnknownTerm;

    fn from_str(text: &str) -> Result<Self, UnknownTerm> {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == text);
        known.ok_or_else(|| UnknownTerm {
            what: "state of an event",
            given: text.to_owned(),
            expected: "applied, dead, dismissed, held, pending",
        })
    }
}

/// An event, with its body byte for byte.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// `wh_` and 32 hex digits: the same for each delivery of one report.
    pub id: String,
    /// Who reports.
    pub source: Source,
    /// What the address named, such as `reply`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What happened.
    pub kind: Kind,
    /// The provider's word for it.
    pub name: String,
    /// When it was received, RFC 3339 UTC.
    pub received_at: Timestamp,
    /// Whether it is certain who sent it.
    pub trust: Trust,
    /// How that is certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// Where it stands.
    pub state: EventState,
    /// Why it stands there, where that needs saying.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// How often applying it has failed.
    #[serde(default)]
    pub attempts: u32,
    /// When its state was last decided, RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<String>,
    /// The body; in base64 where it is no text.
    pub body: String,
    /// The body stands there in base64.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub encoded: bool,
}

impl std::fmt::Debug for StoredEvent {
    /// Without the body: it holds personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredEvent")
            .field("id", &self.id)
            .field("source", &self.source)
            .field("kind", &self.kind)
            .field("state", &self.state)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl StoredEvent {
    /// Id of the event of that key.
    pub fn id_of(key: &str) -> String {
        format!("wh_{key}")
    }

    /// Puts `body` where it can be got back from, byte for byte.
    pub(super) fn pack(body: &[u8]) -> (String, bool) {
        match std::str::from_utf8(body) {
            Ok(text) => (text.to_owned(), false),
            Err(_) => (STANDARD.encode(body), true),
        }
    }

    /// The event that its body is.
    ///
    /// # Errors
    /// A body that is none.
    pub fn event(&self) -> std::result::Result<Event, Malformed> {
        let decoded;
        let body = if self.encoded {
            decoded = STANDARD
                .decode(&self.body)
                .map_err(|_| Malformed::NotJson)?;
            decoded.as_slice()
        } else {
            self.body.as_bytes()
        };
        parse(self.source, self.hint.as_deref(), body, self.received_at)
    }

    /// The same event in another state.
    #[must_use]
    pub fn moved(&self, state: EventState, reason: &str, at: &str) -> Self {
        Self {
            state,
            reason: reason.to_owned(),
            settled_at: Some(at.to_owned()),
            ..self.clone()
        }
    }

    /// Key of its record.
    pub fn key(&self) -> Key {
        records::webhook(&self.id)
    }

    /// Writes that store it and its places, moving it away from the state `before`.
    pub fn writes(&self, before: Option<EventState>) -> Result<Vec<Write>> {
        let key = self.key();
        let received = caio_core::time::rfc3339(self.received_at);
        let order = format!("{received}|{}", self.id);
        let mut writes = vec![Write::Put {
            key: key.clone(),
            value: serde_json::to_vec(self)?,
            expires_in: None,
        }];
        if let Some(before) = before.filter(|before| *before != self.state) {
            writes.push(Write::Unindex {
                index: records::webhook_index(before),
                key: key.clone(),
            });
        }
        for index in [
            records::WEBHOOK_INDEX.to_owned(),
            records::webhook_index(self.state),
        ] {
            writes.push(Write::Index {
                index,
                order: order.clone(),
                key: key.clone(),
            });
        }
        Ok(writes)
    }
}
