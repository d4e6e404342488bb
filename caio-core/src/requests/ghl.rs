//! GoHighLevel: a contact, and one e-mail to it that goes out at once.

use serde_json::{Map, Value, json};

use super::{Campaign, Message, ProviderRequest, html, token};
use crate::terms::Provider;

/// What the text says where GoHighLevel would fill in a value of its own.
const FILLED_IN: &str = "{{";

pub(super) fn requests(campaign: &Campaign<'_>, messages: &[Message<'_>]) -> Vec<ProviderRequest> {
    let from = campaign.accounts.first().map_or("", String::as_str);
    let request = |path: &str, body: Value| ProviderRequest {
        provider: Provider::Ghl,
        method: "POST".to_owned(),
        path: path.to_owned(),
        body,
    };
    messages
        .iter()
        .flat_map(|message| {
            [
                request("/contacts/upsert", contact(message)),
                request("/conversations/messages", email(message, from)),
            ]
        })
        .collect()
}

/// The contact, for an address that is none yet. Never with tags: they would replace those that are
/// there.
fn contact(message: &Message<'_>) -> Value {
    let mut contact = Map::new();
    contact.insert("locationId".to_owned(), json!("{id of the location}"));
    contact.insert("email".to_owned(), json!(message.to));
    for (field, value) in [
        ("firstName", message.first_name),
        ("lastName", message.last_name),
        ("companyName", message.company),
    ] {
        if !value.is_empty() {
            contact.insert(field.to_owned(), json!(value));
        }
    }
    Value::Object(contact)
}

fn email(message: &Message<'_>, from: &str) -> Value {
    json!({
        "type": "Email",
        "contactId": "{id of the contact}",
        "emailFrom": from,
        "emailTo": message.to,
        "subject": message.subject,
        "html": marked(message.body, token(message.delivery)),
    })
}

/// The text as HTML, in an element whose name carries the delivery, so that the message can be told
/// from others later. What would be a merge tag is text.
fn marked(body: &str, token: &str) -> String {
    let html = html(body).replace(FILLED_IN, "&#123;&#123;");
    format!("<div id=\"caio-{token}\">{html}</div>")
}

/// Why this message cannot be sent as it is: a subject holds no HTML, so nothing hides a merge tag.
pub fn ghl_refusal(subject: &str) -> Option<&'static str> {
    subject
        .contains(FILLED_IN)
        .then_some("its subject holds `{{`, which ghl would fill in; edit the draft")
}

/// The delivery that a message's HTML belongs to, its first eight digits; `None` without a mark.
///
/// ```
/// let html = r#"<p><DIV class="x" id="caio-1a2b3c4d">Hello</div></p>"#;
/// assert_eq!(caio_core::requests::ghl_mark(html), Some("1a2b3c4d"));
/// assert_eq!(caio_core::requests::ghl_mark("id=\"caio-12\""), None);
/// ```
pub fn ghl_mark(html: &str) -> Option<&str> {
    // A provider may write the attribute anew, with other quotes or none.
    let (_, after) = html.split_once("caio-")?;
    let token = after.get(..8)?;
    token
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then_some(token)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message<'a>(subject: &'a str, body: &'a str) -> Message<'a> {
        Message {
            delivery: "0123456789abcdef",
            step: crate::terms::Step::FIRST,
            to: "Kim@example.com",
            first_name: "Kim",
            last_name: "",
            company: "",
            linkedin_url: "",
            subject,
            body,
        }
    }

    fn built(message: &Message<'_>) -> Vec<ProviderRequest> {
        let campaign = Campaign {
            name: "c",
            accounts: &["ann@example.com".to_owned()],
            time_zone: "",
            daily_limit: 5,
        };
        requests(&campaign, &[*message, *message])
    }

    #[test]
    fn every_message_is_a_contact_without_tags_and_one_e_mail() {
        let requests = built(&message("Hello", "One\n<b>Two</b>"));
        assert_eq!(requests.len(), 4);
        let contact = &requests[0].body;
        assert!(contact.get("tags").is_none() && contact.get("lastName").is_none());
        let email = &requests[1].body;
        assert_eq!(email["emailFrom"], "ann@example.com");
        assert_eq!(email["emailTo"], "Kim@example.com");
        assert_eq!(email["subject"], "Hello");
        assert_eq!(
            email["html"],
            "<div id=\"caio-01234567\">One<br/>&lt;b&gt;Two&lt;/b&gt;</div>"
        );
    }

    #[test]
    fn what_would_be_filled_in_is_text_or_refused() {
        let requests = built(&message("Hello", "{{contact.phone}} and {{{x}}}"));
        let html = requests[1].body["html"].as_str().unwrap();
        assert!(!html.contains(FILLED_IN), "{html}");
        assert!(ghl_refusal("Hello {{contact.name}}").is_some());
        assert_eq!(ghl_refusal("Hello {you}"), None);
    }

    proptest! {
        /// No text opens an element, closes the one around it, or is filled in.
        #[test]
        fn no_text_is_anything_but_text(body in "(?s).{0,200}") {
            let html = marked(&body, "01234567");
            let inner = html
                .strip_prefix("<div id=\"caio-01234567\">")
                .and_then(|it| it.strip_suffix("</div>"))
                .unwrap()
                .replace("<br/>", "");
            prop_assert!(!inner.contains(['<', '>']) && !html.contains(FILLED_IN));
            prop_assert_eq!(ghl_mark(&html), Some("01234567"));
        }
    }
}
