//! GoHighLevel, API v2: one e-mail to one contact, out at once.
//!
//! Nothing waits for a person there, so the operator is told by whoever runs it that it shall send.
//! The provider knows no message again: each carries its delivery in its HTML, and what an answer did
//! not tell is looked for by that, never sent again. Source of every fact: the vendor's published API.

mod wire;

use std::fmt;

use async_trait::async_trait;
use caio_core::record::check_address;
use caio_core::requests::{self, Campaign, ghl_mark, ghl_refusal};
use caio_core::terms::Provider;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::SETTLES_WITHIN;
use super::http::{Call, CallError, Http};
use crate::channel::{Channel, Container, Outcome, Outgoing, Prepared, Proof};
use crate::ledger::LedgerEntry;
use wire::{
    Contact, Conversation, Conversations, Found, Id, Listed, Messages, OneEmail, Sent, Upserted,
};

/// What contacts ask for.
const CONTACTS: &[(&str, &str)] = &[("Version", "2021-07-28")];

/// What conversations and their messages ask for.
const CONVERSATIONS: &[(&str, &str)] = &[("Version", "2021-04-15")];

/// Pages of one conversation that are looked through.
const PAGES: usize = 50;

/// How far the provider's clock may be behind ours.
const CLOCKS: SignedDuration = SignedDuration::from_mins(10);

/// How long a message of ours is looked for as soon as its answer was lost.
const JUST_NOW: SignedDuration = SignedDuration::from_mins(5);

/// Statuses of a message that was handed over and did not go out.
const FAILED: [&str; 2] = ["failed", "undelivered"];

/// From where, and as whom.
#[derive(Debug, Clone)]
pub struct GhlOptions {
    /// The location whose contacts are written to.
    pub location: String,
    /// The address that sends.
    pub from: String,
    /// How long a lost call may still take effect.
    pub settles_within: SignedDuration,
}

/// Why there can be no channel to GoHighLevel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GhlOptionsError {
    /// No location.
    #[error("ghl: the location is missing; set GHL_LOCATION_ID")]
    Location,
    /// The sender is no address.
    #[error(
        "ghl: `{given}` is no address to send from; set GHL_FROM_EMAIL to one, such as ann@example.com"
    )]
    From {
        /// What was given.
        given: String,
    },
}

impl GhlOptions {
    /// Options with the usual time for a lost call to take effect.
    ///
    /// # Errors
    /// Without a location, and for a sender that is no address.
    pub fn new(location: &str, from: &str) -> Result<Self, GhlOptionsError> {
        if location.trim().is_empty() {
            return Err(GhlOptionsError::Location);
        }
        if check_address(from).is_err() {
            let given = from.to_owned();
            return Err(GhlOptionsError::From { given });
        }
        Ok(Self {
            location: location.trim().to_owned(),
            from: from.trim().to_owned(),
            settles_within: SETTLES_WITHIN,
        })
    }
}

/// Delivers through GoHighLevel.
#[derive(Debug)]
pub struct GhlChannel {
    http: Http,
    options: GhlOptions,
}

/// What is there of a delivery.
#[derive(Debug)]
enum Trace {
    /// The message, and where it stands.
    There { id: Id, status: String },
    /// Nothing.
    Nowhere,
    /// An e-mail that does not say whose it is.
    Nameless,
}

impl GhlChannel {
    /// A channel over `http`.
    pub fn new(http: Http, options: GhlOptions) -> Self {
        Self { http, options }
    }

    /// Where a message stands, in the provider's word, such as `pending`, `sent` or `failed`.
    ///
    /// # Errors
    /// As any call; right after a send the provider may refuse to say (GH-07).
    pub async fn status(&self, receipt: &str) -> Result<String, CallError> {
        let id = Id::try_from(receipt.to_owned())
            .map_err(|error| CallError::NotSent(format!("ghl, get e-mail: {error}")))?;
        Ok(self.email(&id).await?.email().status)
    }

    async fn email(&self, id: &Id) -> Result<OneEmail, CallError> {
        let path = format!("/conversations/messages/email/{id}");
        let call = Call {
            headers: CONVERSATIONS,
            ..Call::get("get e-mail", &path)
        };
        self.http.ask(&call).await
    }

    /// The contact of exactly this address.
    async fn find(&self, address: &str) -> Result<Option<Contact>, CallError> {
        let query = [
            ("locationId", self.options.location.as_str()),
            ("email", address),
        ];
        let call = Call {
            query: &query,
            headers: CONTACTS,
            ..Call::get("find contact", "/contacts/search/duplicate")
        };
        let found: Found = self.http.ask(&call).await?;
        Ok(found.contact.filter(|contact| contact.has_address(address)))
    }

    /// The contact of exactly this address: found, or made. One that is there is left as it is.
    async fn contact(&self, item: &Outgoing, body: &Value) -> Result<Contact, CallError> {
        if let Some(contact) = self.find(&item.to).await? {
            return Ok(contact);
        }
        // Twice is one contact.
        let call = Call {
            headers: CONTACTS,
            ..Call::post("upsert contact", "/contacts/upsert", Some(body)).repeatable()
        };
        let made: Result<Upserted, CallError> = self.http.ask(&call).await;
        match made {
            Ok(made) if made.contact.has_address(&item.to) => Ok(made.contact),
            // Merged with somebody else, or refused although it is there: what counts is what is found.
            Ok(_)
            | Err(
                CallError::Refused {
                    status: 400 | 422, ..
                }
                | CallError::Unknown(_),
            ) => match (self.find(&item.to).await?, made) {
                (Some(contact), _) => Ok(contact),
                (None, Err(error)) => Err(error),
                (None, Ok(_)) => Err(CallError::NotSent(
                    "ghl, upsert contact: it answered with the contact of another address"
                        .to_owned(),
                )),
            },
            Err(error) => Err(error),
        }
    }

    /// Hands over one message.
    async fn send(&self, item: &Outgoing, prepared: Prepared) -> Outcome {
        if let Some(refused) = prepared.refused.into_iter().flatten().next() {
            return refused;
        }
        let mut requests = prepared.requests.into_iter();
        let (Some(contact), Some(message)) = (requests.next(), requests.next()) else {
            return not_sent("ghl: there is nothing to hand over");
        };
        // As long as the message was not handed over it is not out, however the contact fares.
        let contact = match self.contact(item, &contact.body).await {
            Ok(contact) => contact,
            Err(error) => return not_sent(&error.to_string()),
        };
        if let Some(reason) = contact.kept_out() {
            return rejected(&format!("ghl: {reason}"));
        }
        let mut body = message.body;
        body["contactId"] = contact.id.as_str().into();
        let call = Call {
            headers: CONVERSATIONS,
            ..Call::post("send message", "/conversations/messages", Some(&body))
        };
        match self.http.ask::<Sent>(&call).await {
            Ok(sent) => accepted(sent.email_message_id.as_ref().unwrap_or(&sent.message_id)),
            Err(CallError::Unknown(reason)) => self.look(&contact, item, reason).await,
            // Turned on between the question and the send.
            Err(CallError::Refused {
                status: 400 | 422,
                reason,
            }) if is_kept_out(&reason) => rejected(&reason),
            Err(error) => not_sent(&error.to_string()),
        }
    }

    /// What is there of a message whose answer said nothing: it may still arrive.
    async fn look(&self, contact: &Contact, item: &Outgoing, reason: String) -> Outcome {
        let since = self.http.now() - JUST_NOW;
        match self.trace(contact, &item.delivery, since).await {
            Ok(Trace::There { id, status }) if !FAILED.contains(&status.as_str()) => accepted(&id),
            Ok(_) => Outcome::Unknown { reason },
            Err(error) => Outcome::Unknown {
                reason: format!("{reason}; and {error}"),
            },
        }
    }

    /// Looks for a delivery among the e-mails that went to a contact since `then`.
    async fn trace(
        &self,
        contact: &Contact,
        delivery: &str,
        then: Timestamp,
    ) -> Result<Trace, CallError> {
        let mut nameless = false;
        for conversation in self.conversations(contact).await? {
            for listed in self.messages(&conversation).await? {
                if !listed.may_be_ours(then) {
                    continue;
                }
                for id in listed.emails() {
                    let email = self.email(&id).await?.email();
                    match email.body.as_deref().map(ghl_mark) {
                        Some(Some(mark)) if delivery.starts_with(mark) => {
                            let status = email.status;
                            return Ok(Trace::There { id, status });
                        }
                        Some(Some(_)) => {}
                        Some(None) | None => nameless = true,
                    }
                }
            }
        }
        Ok(if nameless {
            Trace::Nameless
        } else {
            Trace::Nowhere
        })
    }

    async fn conversations(&self, contact: &Contact) -> Result<Vec<Conversation>, CallError> {
        let query = [
            ("locationId", self.options.location.as_str()),
            ("contactId", contact.id.as_str()),
        ];
        let call = Call {
            query: &query,
            headers: CONVERSATIONS,
            ..Call::get("search conversations", "/conversations/search")
        };
        let found: Conversations = self.http.ask(&call).await?;
        Ok(found.conversations)
    }

    /// Every message of a conversation, over all pages.
    async fn messages(&self, conversation: &Conversation) -> Result<Vec<Listed>, CallError> {
        let path = format!("/conversations/{}/messages", conversation.id);
        let mut all: Vec<Listed> = Vec::new();
        let mut after: Option<Id> = None;
        for _ in 0..PAGES {
            let query: Vec<(&str, &str)> = after
                .iter()
                .map(|after| ("lastMessageId", after.as_str()))
                .collect();
            let call = Call {
                query: &query,
                headers: CONVERSATIONS,
                ..Call::get("list messages", &path)
            };
            let page = self.http.ask::<Messages>(&call).await?.messages;
            let next = page
                .last_message_id
                .filter(|next| Some(next) != after.as_ref());
            let is_last = !page.next_page || page.messages.is_empty();
            all.extend(page.messages);
            match next {
                Some(next) if !is_last => after = Some(next),
                _ if is_last => return Ok(all),
                _ => break,
            }
        }
        Err(CallError::Unknown(format!(
            "ghl, list messages: the pages of {} do not end",
            conversation.id
        )))
    }

    async fn prove(&self, entry: &LedgerEntry) -> Result<Proof, CallError> {
        let undecided = |reason: &str| Proof::Undecided {
            reason: reason.to_owned(),
        };
        let Ok(intended) = entry.intended_at.parse::<Timestamp>() else {
            return Ok(undecided("the ledger does not say since when to look"));
        };
        // Nobody is written to who is no contact.
        let Some(contact) = self.find(entry.item.recipient.as_str()).await? else {
            return Ok(Proof::NotDelivered);
        };
        Ok(
            match self.trace(&contact, &entry.id, intended - CLOCKS).await? {
                Trace::Nowhere => Proof::NotDelivered,
                Trace::Nameless => {
                    undecided("an e-mail went to the contact that does not say whose it is")
                }
                Trace::There { id, status } if FAILED.contains(&status.as_str()) => {
                    undecided(&format!("ghl took it as {id}, and says {status}"))
                }
                Trace::There { id, .. } => Proof::Delivered {
                    receipt: id.to_string(),
                },
            },
        )
    }
}

fn accepted(id: &Id) -> Outcome {
    Outcome::Accepted {
        receipt: id.to_string(),
    }
}

fn not_sent(reason: &str) -> Outcome {
    Outcome::NotSent {
        reason: reason.to_owned(),
    }
}

fn rejected(reason: &str) -> Outcome {
    Outcome::Rejected {
        reason: reason.to_owned(),
    }
}

/// Whether a refusal says that the person must not be written to.
fn is_kept_out(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    ["dnd", "do not disturb", "unsubscribed"]
        .iter()
        .any(|word| reason.contains(word))
}

#[async_trait]
impl Channel for GhlChannel {
    fn provider(&self) -> Provider {
        Provider::Ghl
    }

    /// Each message is out at once: everything that may forbid one is asked before each.
    fn chunk(&self) -> usize {
        1
    }

    fn settles_within(&self) -> SignedDuration {
        self.options.settles_within
    }

    fn prepare(&self, _container: &Container, items: &[Outgoing]) -> Prepared {
        let campaign = Campaign {
            name: "",
            accounts: std::slice::from_ref(&self.options.from),
            time_zone: "",
            daily_limit: 0,
        };
        let mut prepared = Prepared::default();
        for item in items {
            let refusal = ghl_refusal(&item.subject);
            if refusal.is_none() {
                let mut requests = requests::build(Provider::Ghl, &campaign, &[item.message()]);
                for request in &mut requests {
                    if let Some(location) = request.body.get_mut("locationId") {
                        *location = self.options.location.as_str().into();
                    }
                }
                prepared.requests.extend(requests);
            }
            let refused = refusal.map(|reason| rejected(&format!("ghl: {reason}")));
            prepared.refused.push(refused);
        }
        prepared
    }

    async fn deliver(&self, container: &Container, items: &[Outgoing]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(items.len());
        for item in items {
            let prepared = self.prepare(container, std::slice::from_ref(item));
            outcomes.push(self.send(item, prepared).await);
        }
        outcomes
    }

    async fn reconcile(&self, entries: &[LedgerEntry]) -> Vec<Proof> {
        let mut proofs = Vec::with_capacity(entries.len());
        for entry in entries {
            let proof = self.prove(entry).await;
            proofs.push(proof.unwrap_or_else(|error| Proof::Undecided {
                reason: error.to_string(),
            }));
        }
        proofs
    }

    /// Nothing of ours waits or runs there: each message went out with its call.
    async fn halt(&self) -> Result<usize, String> {
        Ok(0)
    }

    async fn health(&self) -> Result<(), String> {
        let query = [
            ("locationId", self.options.location.as_str()),
            ("limit", "1"),
        ];
        let call = Call {
            query: &query,
            headers: CONVERSATIONS,
            ..Call::get("search conversations", "/conversations/search")
        };
        let answer: Result<Conversations, CallError> = self.http.ask(&call).await;
        answer.map(drop).map_err(|error| error.to_string())
    }
}

impl fmt::Display for GhlChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.http.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gh_10_the_sender_is_an_address_and_no_location() {
        assert!(GhlOptions::new("loc1", "Ann@example.com").is_ok());
        assert_eq!(
            GhlOptions::new(" ", "ann@example.com").unwrap_err(),
            GhlOptionsError::Location
        );
        for from in [
            "",
            "loc1",
            "Ann <ann@example.com>",
            "ann@example.com, kim@example.com",
        ] {
            let refused = GhlOptions::new("loc1", from).unwrap_err().to_string();
            assert!(refused.contains("GHL_FROM_EMAIL"), "{refused}");
        }
    }
}
