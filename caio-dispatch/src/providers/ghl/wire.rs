//! What the provider answers, as far as it is looked at.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// Tags of people who must not be written to, in lower case.
const KEPT_OUT: [&str; 5] = [
    "dnc",
    "do not contact",
    "do-not-contact",
    "opted-out",
    "unsubscribed",
];

/// An id that can stand in a path: letters, digits, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Id(String);

impl TryFrom<String> for Id {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if matches!(text.len(), 1..=64) && text.bytes().all(is_plain) {
            Ok(Self(text))
        } else {
            Err("an id of letters, digits, `-` and `_` is expected")
        }
    }
}

impl Id {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Answer to a look-up of a contact.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    /// Has to be there: an answer without it says nothing.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) contact: Option<Contact>,
}

/// Answer to an upsert.
#[derive(Debug, Deserialize)]
pub(super) struct Upserted {
    pub(super) contact: Contact,
}

/// A contact.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Contact {
    pub(super) id: Id,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    dnd: Option<bool>,
    #[serde(default)]
    dnd_settings: Option<Value>,
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Contact {
    /// Whether it is the contact of this very address, however that is written.
    pub(super) fn has_address(&self, address: &str) -> bool {
        let same = |own: &String| own.trim().to_lowercase() == address.trim().to_lowercase();
        self.email.as_ref().is_some_and(same)
    }

    /// Why nobody may write to it, where that is so.
    pub(super) fn kept_out(&self) -> Option<String> {
        if self.dnd == Some(true) {
            return Some("the contact is set to do not disturb".to_owned());
        }
        let email = self.dnd_settings.as_ref().and_then(|it| it.get("Email"));
        let status = email
            .and_then(|it| it.get("status"))
            .and_then(Value::as_str);
        // `active` means that do not disturb is on; what is not known is no permission.
        if let Some(status) = status.filter(|it| *it != "inactive") {
            return Some(format!(
                "the contact's e-mail is set to do not disturb ({status})"
            ));
        }
        let mut tags = self.tags.iter().flatten();
        let tag = tags.find(|tag| KEPT_OUT.contains(&tag.trim().to_lowercase().as_str()))?;
        Some(format!("the contact carries the tag `{tag}`"))
    }
}

/// Answer to a send.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sent {
    pub(super) message_id: Id,
    #[serde(default)]
    pub(super) email_message_id: Option<Id>,
}

/// Conversations of a contact.
#[derive(Debug, Deserialize)]
pub(super) struct Conversations {
    pub(super) conversations: Vec<Conversation>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Conversation {
    pub(super) id: Id,
}

/// A page of the messages of a conversation.
#[derive(Debug, Deserialize)]
pub(super) struct Messages {
    pub(super) messages: Part,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part {
    #[serde(default)]
    pub(super) last_message_id: Option<Id>,
    #[serde(default)]
    pub(super) next_page: bool,
    pub(super) messages: Vec<Listed>,
}

/// A message in a listing, where e-mails have no text.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    pub(super) id: Id,
    #[serde(default)]
    direction: Option<String>,
    #[serde(default)]
    date_added: Option<Timestamp>,
    #[serde(default)]
    meta: Option<Meta>,
}

#[derive(Debug, Clone, Deserialize)]
struct Meta {
    #[serde(default)]
    email: Option<MetaEmail>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetaEmail {
    #[serde(default)]
    message_ids: Vec<Id>,
}

impl Listed {
    /// Whether it may have been sent since `then`; one that does not say when, or which way, may.
    pub(super) fn may_be_ours(&self, then: Timestamp) -> bool {
        self.direction.as_deref() != Some("inbound") && self.date_added.is_none_or(|at| at >= then)
    }

    /// The ids under which the e-mails of the message can be read.
    pub(super) fn emails(&self) -> Vec<Id> {
        let own = self.meta.as_ref().and_then(|meta| meta.email.as_ref());
        match own.filter(|own| !own.message_ids.is_empty()) {
            Some(own) => own.message_ids.clone(),
            None => vec![self.id.clone()],
        }
    }
}

/// Answer to a question about one e-mail: the record itself, or within a member.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneEmail {
    Within {
        #[serde(alias = "emailMessage")]
        message: Email,
    },
    Itself(Email),
}

/// An e-mail.
#[derive(Debug, Deserialize)]
pub(super) struct Email {
    #[serde(default)]
    pub(super) status: String,
    #[serde(default, alias = "html")]
    pub(super) body: Option<String>,
}

impl OneEmail {
    pub(super) fn email(self) -> Email {
        match self {
            Self::Within { message } | Self::Itself(message) => message,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_never_leaves_its_place_in_a_path() {
        for id in ["abc", "ve9EPM428h8vShlRW1KT", "a-b_c"] {
            assert!(serde_json::from_value::<Id>(json!(id)).is_ok(), "{id}");
        }
        for id in [
            json!(""),
            json!("a/b"),
            json!("a?b"),
            json!(".."),
            json!(7),
            json!("x".repeat(65)),
        ] {
            assert!(serde_json::from_value::<Id>(id.clone()).is_err(), "{id}");
        }
    }

    #[test]
    fn gh_05_do_not_disturb_counts_whatever_it_is_called() {
        for (contact, says) in [
            (json!({ "id": "c", "dnd": true }), Some("do not disturb")),
            (
                json!({ "id": "c", "dndSettings": { "Email": { "status": "active" } } }),
                Some("(active)"),
            ),
            (
                json!({ "id": "c", "dndSettings": { "Email": { "status": "permanent" } } }),
                Some("(permanent)"),
            ),
            (
                json!({ "id": "c", "dndSettings": { "Email": { "status": "inactive" } } }),
                None,
            ),
            (
                json!({ "id": "c", "dndSettings": { "SMS": { "status": "active" } } }),
                None,
            ),
            (
                json!({ "id": "c", "tags": ["warm", "Unsubscribed"] }),
                Some("`Unsubscribed`"),
            ),
            (
                json!({ "id": "c", "dnd": false, "tags": null, "dndSettings": null }),
                None,
            ),
        ] {
            let read: Contact = serde_json::from_value(contact.clone()).unwrap();
            let kept_out = read.kept_out();
            assert_eq!(kept_out.is_some(), says.is_some(), "{contact}");
            assert!(
                kept_out.unwrap_or_default().contains(says.unwrap_or("")),
                "{contact}"
            );
        }
    }
}
