//! Slack's incoming webhook and Twilio's messages: where alarms go. (Mail: [`super::smtp`].)

use serde_json::{Map, Value, json};

use super::wire::{Answer, Call, Parsed, operations};
use super::{Desk, text};

/// What they hold: every message that was taken.
#[derive(Debug, Default)]
pub(super) struct Notify {
    pub(super) mail: Vec<Value>,
    pub(super) slack: Vec<Value>,
    pub(super) twilio: Vec<Value>,
}

/// Slack.
pub(super) mod slack {
    use super::{Call, operations};

    operations! {
        PostMessage => "post_message",
    }

    impl Operation {
        pub(in crate::sandbox) fn of(call: &Call) -> Option<Self> {
            let (method, segments) = call.route();
            matches!((method, segments.as_slice()), ("POST", ["services", ..]))
                .then_some(Self::PostMessage)
        }
    }
}

/// Twilio.
pub(super) mod twilio {
    use super::{Call, operations};

    operations! {
        SendMessage => "send_message",
    }

    impl Operation {
        pub(in crate::sandbox) fn of(call: &Call) -> Option<Self> {
            let (method, segments) = call.route();
            matches!(
                (method, segments.as_slice()),
                ("POST", ["2010-04-01", "Accounts", _, "Messages.json"])
            )
            .then_some(Self::SendMessage)
        }
    }
}

impl Notify {
    /// The address is the key; answers are plain text.
    pub(super) fn slack(&mut self, desk: &Desk<'_>, call: &Call) -> Answer {
        let said = |status: u16, word: &str| Answer::typed(status, "text/plain", word.to_owned());
        if slack::Operation::of(call).is_none() {
            return said(404, "no_service");
        }
        let Parsed::Json(Value::Object(message)) = call.parsed() else {
            return said(400, "invalid_payload");
        };
        let has = |name: &str| message.get(name).is_some_and(|value| *value != json!(""));
        if !has("text") && !has("blocks") {
            return said(400, "no_text");
        }
        self.slack
            .push(json!({ "at": desk.now, "message": message }));
        said(200, "ok")
    }

    /// A form in, JSON out; the same message twice is two messages.
    pub(super) fn twilio(&mut self, desk: &Desk<'_>, call: &Call) -> Answer {
        let refuse = |status: u16, code: u32, message: &str| {
            let body =
                json!({ "code": code, "message": message, "more_info": "", "status": status });
            Answer::json(status, &body)
        };
        if twilio::Operation::of(call).is_none() {
            return refuse(404, 20404, "The requested resource was not found");
        }
        if !call.header("authorization").starts_with("Basic ") {
            return refuse(401, 20003, "Authenticate");
        }
        if !call
            .header("content-type")
            .starts_with("application/x-www-form-urlencoded")
        {
            return refuse(400, 21604, "A 'To' phone number is required.");
        }
        let fields = form_urlencoded::parse(&call.body);
        let fields: Map<String, Value> = fields
            .map(|(name, value)| (name.into_owned(), json!(value)))
            .collect();
        let field = |name: &str| text(fields.get(name));
        let to = field("To");
        if !to.strip_prefix('+').is_some_and(|digits| {
            (8..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        }) {
            return refuse(400, 21211, "The 'To' number is not a valid phone number.");
        }
        let service = field("MessagingServiceSid");
        if field("From").is_empty() && service.is_empty() {
            return refuse(400, 21603, "A 'From' phone number is required.");
        }
        if field("Body").is_empty() {
            return refuse(400, 21602, "Message body is required.");
        }
        let status = if service.is_empty() {
            "queued"
        } else {
            "accepted"
        };
        let message = json!({
            "sid": format!("SM{}", desk.ids.id()),
            "status": status,
            "to": to,
            "from": fields.get("From"),
            "body": field("Body"),
            "date_created": desk.now,
            "error_code": null,
            "error_message": null,
        });
        self.twilio.push(message.clone());
        Answer::json(201, &message)
    }
}
