//! What providers report back: payloads as they really arrive, as typed events.
//!
//! A payload is outside input: every field is optional, of any type and of any length, and names no
//! file, key or address that is used as it stands. What is not understood stays an event of kind
//! [`Kind::Unknown`]; only what is no JSON object at all is [`Malformed`].

mod clay;
mod effect;
mod fields;
mod ghl;
mod heyreach;
mod hold;
mod instantly;
mod rb2b;
pub mod signature;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::identity::{EmailKey, hex};
use crate::terms::{Medium, Provider, terms};

use fields::Fields;

pub use effect::{Effects, Later, Trust, effects, interest};
pub use fields::profile_key;
pub use hold::{BadHold, HOLD_AT_MOST, Holds};

/// Longest body that is taken, in bytes.
pub const MAX_BODY: usize = 256 * 1024;

/// Most characters of a message that are kept beside a lead's status.
const PREVIEW: usize = 200;

terms! {
    /// Who reports.
    Source, "webhook source", "instantly, heyreach, ghl, rb2b, clay" {
        /// E-mail campaigns.
        Instantly = "instantly",
        /// LinkedIn campaigns.
        HeyReach = "heyreach",
        /// The customer data base, and its e-mail.
        Ghl = "ghl",
        /// Visitors of the web site.
        Rb2b = "rb2b",
        /// Enriched rows.
        Clay = "clay",
    }
}

impl Source {
    /// Who delivers, where this one does.
    pub const fn provider(self) -> Option<Provider> {
        match self {
            Self::Instantly => Some(Provider::Instantly),
            Self::HeyReach => Some(Provider::HeyReach),
            Self::Ghl => Some(Provider::Ghl),
            Self::Rb2b | Self::Clay => None,
        }
    }

    /// Medium of the messages that it reports on.
    pub const fn medium(self) -> Medium {
        match self {
            Self::HeyReach => Medium::LinkedIn,
            _ => Medium::Email,
        }
    }
}

terms! {
    /// What happened, whatever the provider calls it.
    Kind, "webhook event",
    "account_fault, auto_replied, bounced, campaign_ended, clicked, complained, connected, \
     connection_sent, enriched, exhausted, meeting, noted, opened, replied, sent, unknown, \
     unsubscribed, visited" {
        /// A sending account does not work.
        AccountFault = "account_fault",
        /// A machine answered while its owner is away: no reply.
        AutoReplied = "auto_replied",
        /// The message could not be delivered.
        Bounced = "bounced",
        /// A campaign is over.
        CampaignEnded = "campaign_ended",
        /// A link was followed, by a person or a scanner.
        Clicked = "clicked",
        /// The recipient called it spam.
        Complained = "complained",
        /// The lead accepted our connection.
        Connected = "connected",
        /// A connection request left.
        ConnectionSent = "connection_sent",
        /// A row came back enriched.
        Enriched = "enriched",
        /// The LinkedIn sequence ended without an answer.
        Exhausted = "exhausted",
        /// A meeting was booked or held.
        Meeting = "meeting",
        /// Known, and of no consequence here.
        Noted = "noted",
        /// The message was displayed.
        Opened = "opened",
        /// A person answered.
        Replied = "replied",
        /// A message left the provider.
        Sent = "sent",
        /// Nobody here knows what it means.
        Unknown = "unknown",
        /// The lead opted out.
        Unsubscribed = "unsubscribed",
        /// Somebody was seen on the web site.
        Visited = "visited",
    }
}

/// One thing that a provider reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Who reports.
    pub source: Source,
    /// What happened.
    pub kind: Kind,
    /// The provider's own word for it; at most 64 printable characters.
    pub name: String,
    /// The same for each delivery of one report: 32 hex digits.
    pub key: String,
    /// Whom it is about, where it says so.
    pub person: Option<EmailKey>,
    /// Their LinkedIn profile, see [`profile_key`].
    pub profile: Option<String>,
    /// When it happened; when it was received, if it does not say so or says nothing plausible.
    pub at: Timestamp,
    /// Id of the campaign at the provider.
    pub campaign: Option<String>,
    /// Names of the campaign and lists that it may belong to: ours carry their batch.
    pub containers: Vec<String>,
    /// Beginning of the id of the delivery, where the provider hands it back.
    pub delivery: Option<String>,
    /// Beginning of the message, or what kind of bounce it is; at most 200 characters.
    pub text: String,
}

/// A body that is no event at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// It is no JSON, or nested too deeply.
    #[error("the body is no JSON; expected one JSON object")]
    NotJson,
    /// It is JSON of another kind.
    #[error("the body is a JSON {found}; expected one JSON object")]
    NotObject {
        /// What it is.
        found: &'static str,
    },
    /// It is longer than [`MAX_BODY`].
    #[error("the body has {bytes} bytes; expected at most {MAX_BODY}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

impl Malformed {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotJson => "webhook.not_json",
            Self::NotObject { .. } => "webhook.not_object",
            Self::TooLong { .. } => "webhook.too_long",
        }
    }
}

/// Reads a body as `source` sends it, received at `received`. `hint` is the event that the address
/// names where it names one (`reply`, `bounce`, …); what the body says of itself counts more.
///
/// # Errors
/// A body that is longer than [`MAX_BODY`], no JSON, or no object.
pub fn parse(
    source: Source,
    hint: Option<&str>,
    body: &[u8],
    received: Timestamp,
) -> Result<Event, Malformed> {
    if body.len() > MAX_BODY {
        return Err(Malformed::TooLong { bytes: body.len() });
    }
    let document = fields::document(body, source == Source::Rb2b)?;
    let root = Fields::new(&document);
    let mut event = match source {
        Source::Instantly => instantly::event(root, hint, received),
        Source::HeyReach => heyreach::event(root, received),
        Source::Ghl => ghl::event(root, received),
        Source::Rb2b => rb2b::event(root, received),
        Source::Clay => clay::event(root, received),
    };
    if event.key.is_empty() {
        event.key = key_of(source, &[&hex(&Sha256::digest(body))]);
    }
    Ok(event)
}

/// Key of what is no event: the same for the same bytes.
pub fn key_of_bytes(source: Source, body: &[u8]) -> String {
    key_of(source, &[&hex(&Sha256::digest(body))])
}

/// Key over what tells one report from another; `""` where nothing does, so that the body decides.
fn key_of(source: Source, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in std::iter::once(&source.as_str()).chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex(&hash.finalize()[..16])
}

/// At most `most` characters of `text`, outer space gone.
fn preview(text: &str, most: usize) -> String {
    text.trim().chars().take(most).collect()
}

/// A provider's word as records and logs may show it.
fn word(text: &str) -> String {
    text.trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(64)
        .collect()
}

impl Event {
    /// An event that says nothing yet.
    fn blank(source: Source, kind: Kind, name: &str, at: Timestamp) -> Self {
        Self {
            source,
            kind,
            name: word(name),
            key: String::new(),
            person: None,
            profile: None,
            at,
            campaign: None,
            containers: Vec::new(),
            delivery: None,
            text: String::new(),
        }
    }
}

#[cfg(test)]
mod tests;
