//! GoHighLevel, API v2: contacts, and e-mails that go out at once.

use serde_json::{Map, Value, json};

use super::wire::{Answer, Call, Parsed, operations};
use super::{Desk, text};

/// Version that contacts ask for.
const CONTACTS: &str = "2021-07-28";
/// Version that conversations ask for.
const CONVERSATIONS: &str = "2021-04-15";

/// What GoHighLevel holds.
#[derive(Debug, Default)]
pub(super) struct Ghl {
    pub(super) contacts: Vec<Map<String, Value>>,
    pub(super) messages: Vec<Map<String, Value>>,
}

operations! {
    FindContact => "find_contact",
    GetContact => "get_contact",
    GetMessage => "get_message",
    ListMessages => "list_messages",
    SearchConversations => "search_conversations",
    SendMessage => "send_message",
    UpsertContact => "upsert_contact",
}

type Result<T = Value> = std::result::Result<T, Answer>;

impl Operation {
    pub(super) fn of(call: &Call) -> Option<Self> {
        let (method, segments) = call.route();
        Some(match (method, segments.as_slice()) {
            ("GET", ["contacts", "search", "duplicate"]) => Self::FindContact,
            ("GET", ["contacts", _]) => Self::GetContact,
            (
                "GET",
                ["conversations", "messages", _] | ["conversations", "messages", "email", _],
            ) => Self::GetMessage,
            ("GET", ["conversations", "search"]) => Self::SearchConversations,
            ("GET", ["conversations", _, "messages"]) => Self::ListMessages,
            ("POST", ["contacts", "upsert"]) => Self::UpsertContact,
            ("POST", ["conversations", "messages"]) => Self::SendMessage,
            _ => return None,
        })
    }
}

impl Ghl {
    pub(super) fn perform(&mut self, desk: &Desk<'_>, call: &Call) -> Answer {
        match self.answer(desk, call) {
            Ok((status, body)) => Answer::json(status, &body),
            Err(refusal) => refusal,
        }
    }

    fn answer(&mut self, desk: &Desk<'_>, call: &Call) -> Result<(u16, Value)> {
        let (scheme, key) = call
            .header("authorization")
            .split_once(' ')
            .unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") || matches!(key.trim(), "" | "wrong") {
            return Err(refuse(401, &json!("Invalid token"), "Unauthorized"));
        }
        let operation = Operation::of(call);
        let operation = operation.ok_or_else(|| refuse(404, &json!("Not found"), "Not Found"))?;
        let wanted = match operation {
            Operation::FindContact | Operation::GetContact | Operation::UpsertContact => CONTACTS,
            _ => CONVERSATIONS,
        };
        if call.header("version") != wanted {
            let wrong = json!(format!("version header is invalid: expected {wanted}"));
            return Err(refuse(400, &wrong, "Bad Request"));
        }
        let (_, segments) = call.route();
        let last = segments.last().copied().unwrap_or_default();
        let body = match operation {
            Operation::FindContact => self.find_contact(call)?,
            Operation::GetContact => self.get_contact(last)?,
            Operation::GetMessage => self.get_message(last)?,
            Operation::ListMessages => {
                self.list_messages(segments.get(1).copied().unwrap_or_default())
            }
            Operation::SearchConversations => self.search(call),
            Operation::SendMessage => return Ok((201, self.send(desk, &body(call)?)?)),
            Operation::UpsertContact => self.upsert(desk, &body(call)?)?,
        };
        Ok((200, body))
    }

    /// By e-mail, else by phone, where the other one's address stays; tags that are sent replace the
    /// ones that are there.
    fn upsert(&mut self, desk: &Desk<'_>, body: &Value) -> Result {
        need(body, "locationId")?;
        let email = text(body.get("email")).trim().to_lowercase();
        let given = body.as_object().cloned().unwrap_or_default();
        let at = self
            .contacts
            .iter()
            .position(|known| !email.is_empty() && text(known.get("email")) == email);
        let phone = text(body.get("phone"));
        let by_phone = self
            .contacts
            .iter()
            .position(|known| !phone.is_empty() && text(known.get("phone")) == phone);
        let email = match by_phone.filter(|_| at.is_none()) {
            Some(known) => text(self.contacts[known].get("email")).to_owned(),
            None => email,
        };
        let at = at.or(by_phone);
        let mut contact = at
            .and_then(|at| self.contacts.get(at))
            .cloned()
            .unwrap_or_else(|| {
                let mut contact = Map::new();
                contact.insert("id".to_owned(), json!(desk.ids.id()));
                contact.insert("dateAdded".to_owned(), json!(desk.now));
                contact.insert("dnd".to_owned(), json!(false));
                contact
            });
        contact.extend(given);
        contact.insert("email".to_owned(), json!(email));
        contact.insert("dateUpdated".to_owned(), json!(desk.now));
        match at.and_then(|at| self.contacts.get_mut(at)) {
            Some(known) => known.clone_from(&contact),
            None => self.contacts.push(contact.clone()),
        }
        Ok(json!({ "new": at.is_none(), "contact": contact, "traceId": desk.uuid() }))
    }

    fn find_contact(&self, call: &Call) -> Result {
        if call.parameter("locationId").is_none() {
            return Err(unprocessable("locationId should not be empty"));
        }
        let email = call
            .parameter("email")
            .unwrap_or_default()
            .trim()
            .to_lowercase();
        let mut found = self
            .contacts
            .iter()
            .filter(|contact| text(contact.get("email")) == email);
        Ok(json!({ "contact": found.next() }))
    }

    fn get_contact(&self, id: &str) -> Result {
        let mut found = self
            .contacts
            .iter()
            .filter(|contact| text(contact.get("id")) == id);
        let contact = found.next().ok_or_else(|| {
            let wrong = json!(format!("Contact with id {id} not found"));
            refuse(400, &wrong, "Bad Request")
        })?;
        Ok(json!({ "contact": contact }))
    }

    /// Nothing here knows a message again: the same one twice is two messages.
    fn send(&mut self, desk: &Desk<'_>, body: &Value) -> Result {
        need(body, "contactId")?;
        if text(body.get("type")) != "Email" {
            return Err(unprocessable(
                "type must be one of the following values: Email",
            ));
        }
        let id = text(body.get("contactId")).to_owned();
        let mut found = self
            .contacts
            .iter()
            .filter(|contact| text(contact.get("id")) == id);
        let contact = found
            .next()
            .ok_or_else(|| refuse(400, &json!("Contact not found"), "Bad Request"))?;
        let settings = contact.get("dndSettings").and_then(|it| it.get("Email"));
        let is_dnd = contact.get("dnd") == Some(&json!(true))
            || settings.is_some_and(|it| text(it.get("status")) == "active");
        if is_dnd {
            let wrong = "Cannot send message as DND is active for Email.";
            return Err(refuse(400, &json!(wrong), "Bad Request"));
        }
        let from = text(body.get("emailFrom"));
        if !from.is_empty() && !from.contains('@') {
            return Err(unprocessable("emailFrom must be an email"));
        }
        if text(body.get("html")).is_empty() && text(body.get("message")).is_empty() {
            return Err(unprocessable("html should not be empty"));
        }
        let address = text(contact.get("email"));
        let to = Some(text(body.get("emailTo")))
            .filter(|to| !to.is_empty())
            .unwrap_or(address);
        let message = desk.ids.id();
        let mut record = body.as_object().cloned().unwrap_or_default();
        record.insert("to".to_owned(), json!(to.trim().to_lowercase()));
        record.insert("id".to_owned(), json!(message));
        record.insert("conversationId".to_owned(), json!(conversation(&id)));
        record.insert("dateAdded".to_owned(), json!(desk.now));
        record.insert("direction".to_owned(), json!("outbound"));
        record.insert("status".to_owned(), json!("sent"));
        self.messages.push(record);
        Ok(json!({
            "conversationId": conversation(&id),
            "messageId": message,
            "emailMessageId": message,
            "status": "pending",
            "msg": "Email queued successfully.",
        }))
    }

    fn get_message(&self, id: &str) -> Result {
        let mut found = self
            .messages
            .iter()
            .filter(|message| text(message.get("id")) == id);
        let message = found
            .next()
            .ok_or_else(|| refuse(404, &json!("Message not found"), "Not Found"))?;
        Ok(json!({ "message": message }))
    }

    fn search(&self, call: &Call) -> Value {
        let id = call.parameter("contactId").unwrap_or_default();
        let any = self
            .messages
            .iter()
            .any(|message| text(message.get("contactId")) == id);
        let found = any.then(|| json!({ "id": conversation(id), "contactId": id }));
        json!({ "conversations": found.iter().collect::<Vec<_>>(), "total": usize::from(any) })
    }

    /// The texts of e-mails are missing here.
    fn list_messages(&self, id: &str) -> Value {
        let own = self
            .messages
            .iter()
            .filter(|message| text(message.get("conversationId")) == id);
        let mut shown: Vec<Map<String, Value>> = own.cloned().collect();
        for message in &mut shown {
            message.remove("html");
            message.remove("message");
        }
        let last = shown.last().and_then(|message| message.get("id")).cloned();
        json!({ "messages": { "lastMessageId": last, "nextPage": false, "messages": shown } })
    }
}

fn conversation(contact: &str) -> String {
    format!("conversation-{contact}")
}

fn body(call: &Call) -> Result {
    match call.parsed() {
        Parsed::Json(body) if body.is_object() => Ok(body),
        _ => Err(refuse(
            400,
            &json!("A JSON object is expected"),
            "Bad Request",
        )),
    }
}

fn need(body: &Value, name: &str) -> Result<()> {
    if text(body.get(name)).is_empty() {
        return Err(unprocessable(&format!("{name} should not be empty")));
    }
    Ok(())
}

fn unprocessable(message: &str) -> Answer {
    refuse(422, &json!([message]), "Unprocessable Entity")
}

fn refuse(status: u16, message: &Value, error: &str) -> Answer {
    Answer::json(
        status,
        &json!({ "statusCode": status, "message": message, "error": error }),
    )
}
