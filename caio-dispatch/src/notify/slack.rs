//! Slack's incoming webhook: JSON in, a word of plain text out. The address is the key.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use caio_core::escalation::{AlertChannel, Told};
use reqwest::Client;
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{Notice, Notifier, NotifierError, cut};
use crate::providers::http;

/// Longest wait for a connection, and for an answer.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);

/// Slack's own bounds, in characters.
const LONGEST_HEADER: usize = 150;
const LONGEST_TEXT: usize = 2_900;

/// The host that Slack's hooks are on; another one is a proxy or a mistake.
const HOST: &str = "hooks.slack.com";

/// Tells a Slack channel.
pub struct SlackNotifier {
    client: Client,
    hook: SecretString,
    host: String,
    is_here: bool,
}

impl SlackNotifier {
    /// A notifier for the webhook at `hook`.
    ///
    /// # Errors
    /// For an address that is not https outside of this machine.
    pub fn new(hook: SecretString) -> Result<Self, NotifierError> {
        Self::within(hook, ANSWER)
    }

    /// The same with another longest wait for an answer.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn within(hook: SecretString, answer: Duration) -> Result<Self, NotifierError> {
        let wrong = |reason: &str| NotifierError {
            channel: AlertChannel::Slack,
            reason: reason.to_owned(),
        };
        let url = http::safe_url(hook.expose_secret());
        let url = url.ok_or_else(|| {
            wrong(
                "the webhook has to be an https address such as https://hooks.slack.com/services/…",
            )
        })?;
        let client = http::client(HeaderMap::new(), CONNECT, answer);
        let client = client.map_err(|error| wrong(&http::describe(error)))?;
        Ok(Self {
            client,
            host: url.host_str().unwrap_or_default().to_owned(),
            is_here: http::is_here(&url),
            hook,
        })
    }

    /// What looks like a mistake: a host that is not Slack's. It is used nevertheless.
    pub fn doubt(&self) -> Option<String> {
        (self.host != HOST && !self.is_here).then(|| {
            format!(
                "slack: {} is not {HOST}; alerts go there all the same",
                self.host
            )
        })
    }
}

#[async_trait]
impl Notifier for SlackNotifier {
    fn channel(&self) -> AlertChannel {
        AlertChannel::Slack
    }

    async fn notify(&self, notice: &Notice) -> Told {
        let request = self.client.post(self.hook.expose_secret());
        let response = match request.json(&message(notice)).send().await {
            Ok(response) => response,
            Err(error) => {
                let never_left = error.is_connect() || error.is_builder();
                let reason = http::describe(error);
                return match never_left {
                    true => Told::Later {
                        reason,
                        after: None,
                    },
                    false => Told::Unknown { reason },
                };
            }
        };
        let status = response.status().as_u16();
        let after = http::retry_after(response.headers());
        match http::read(response).await {
            Ok(body) => judge(status, &String::from_utf8_lossy(&body), after),
            Err(reason) => Told::Unknown { reason },
        }
    }
}

/// The message: one line for lists and phones, blocks for the channel. No buttons: nothing would
/// answer them.
fn message(notice: &Notice) -> Value {
    let title = escaped(&notice.title);
    let body = format!("*{title}*\n{}", escaped(&notice.text));
    let mut blocks = vec![
        json!({ "type": "header",
                "text": { "type": "plain_text", "text": cut(&notice.heading, LONGEST_HEADER) } }),
        json!({ "type": "section", "text": { "type": "mrkdwn", "text": cut(&body, LONGEST_TEXT) } }),
    ];
    if let Some(link) = &notice.link {
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": format!("<{}>", escaped(link)) } }));
    }
    let level = format!("level {} · {}", notice.level.number(), notice.id);
    blocks
        .push(json!({ "type": "context", "elements": [{ "type": "plain_text", "text": level }] }));
    json!({ "text": cut(&title, LONGEST_TEXT), "blocks": blocks })
}

/// Slack's three signs: with them a text could mention everybody, or show one link for another.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// What a status and a body mean. All but 429 and 5xx is for good.
fn judge(status: u16, body: &str, after: Option<Duration>) -> Told {
    let refusal = refusal(body);
    let said = refusal
        .as_deref()
        .unwrap_or("an answer that is none of Slack's");
    match status {
        200 if body.trim() == "ok" => Told::Sent {
            receipt: "ok".to_owned(),
        },
        429 => Told::Later {
            reason: "asks for fewer messages (429)".to_owned(),
            after,
        },
        200 if said == "ratelimited" => Told::Later {
            reason: said.to_owned(),
            after,
        },
        200 if refusal.is_some() => Told::Refused {
            reason: format!("answered 200 with {said}"),
        },
        200..=299 | 500..=599 => Told::Unknown {
            reason: format!("answered {status} with {said}"),
        },
        300..=399 => Told::Refused {
            reason: format!(
                "answered {status}: redirects are not followed, check SLACK_WEBHOOK_URL"
            ),
        },
        _ => Told::Refused {
            reason: format!("answered {status} with {said}{}", advice(said)),
        },
    }
}

/// The word of a refusal: plain text, or `error` beside `ok: false`. Anything else could be a page.
fn refusal(body: &str) -> Option<String> {
    let value: Option<Value> = serde_json::from_str(body).ok();
    let inner = value
        .as_ref()
        .and_then(|value| value.get("error")?.as_str());
    let word = inner.unwrap_or(body).trim();
    let is_word = !word.is_empty()
        && word.len() <= 60
        && word
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    (is_word && word != "ok").then(|| word.to_owned())
}

fn advice(word: &str) -> &'static str {
    match word {
        "no_active_hooks" | "no_service" | "no_team" | "invalid_token" | "team_disabled" => {
            ": the webhook is dead, make a new one and set SLACK_WEBHOOK_URL"
        }
        "channel_is_archived" | "channel_not_found" => ": its channel is gone",
        "action_prohibited" => ": an administrator forbids it",
        _ => "",
    }
}

impl fmt::Debug for SlackNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for SlackNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slack at {}", self.host)
    }
}

#[cfg(test)]
mod tests {
    use caio_core::escalation::Level;
    use jiff::Timestamp;

    use super::*;

    const SEVEN: Option<Duration> = Some(Duration::from_secs(7));

    fn notice() -> Notice {
        Notice {
            id: "a1".to_owned(),
            raised_at: Timestamp::UNIX_EPOCH,
            level: Level::One,
            heading: "Approval Required".to_owned(),
            title: "Approval required: Test Campaign".to_owned(),
            text: "Companies: Acorn <!channel> & <https://evil.example.com|Birch>".to_owned(),
            link: Some("https://caio.example.com/".to_owned()),
        }
    }

    #[test]
    fn each_answer_of_slack_means_one_thing() {
        let kind = |told: Told| match told {
            Told::Sent { .. } => "sent",
            Told::Later { .. } => "later",
            Told::Refused { .. } => "refused",
            Told::Unknown { .. } => "unknown",
        };
        for (status, body, expected) in [
            (200, "ok", "sent"),
            (200, "ok\n", "sent"),
            (
                200,
                "{\"ok\":false,\"error\":\"channel_not_found\"}",
                "refused",
            ),
            (200, "{\"ok\":false,\"error\":\"ratelimited\"}", "later"),
            (200, "<!doctype html>", "unknown"),
            (200, "", "unknown"),
            (302, "", "refused"),
            (400, "invalid_payload", "refused"),
            (403, "no_active_hooks", "refused"),
            (404, "no_active_hooks", "refused"),
            (404, "<html>nothing here</html>", "refused"),
            (410, "channel_is_archived", "refused"),
            (429, "rate_limited", "later"),
            (500, "rollup_error", "unknown"),
            (503, "", "unknown"),
        ] {
            assert_eq!(kind(judge(status, body, None)), expected, "{status} {body}");
        }
        let dead = judge(404, "no_active_hooks", None);
        assert!(dead.detail().contains("the webhook is dead"), "{dead:?}");
        let Told::Later { after, .. } = judge(429, "", SEVEN) else {
            panic!("429 is for later");
        };
        assert_eq!(after, SEVEN);
    }

    #[test]
    fn a_message_has_its_line_and_header_and_mentions_nobody() {
        let message = message(&notice());
        assert_eq!(message["text"], "Approval required: Test Campaign");
        let header = &message["blocks"][0]["text"]["text"];
        assert!(header.as_str().unwrap().contains("Approval Required"));
        let all = message.to_string();
        assert!(
            !all.contains("<!channel>") && !all.contains("<https://evil"),
            "{all}"
        );
        assert!(!all.contains("actions"), "buttons would do nothing");
    }

    #[test]
    fn the_address_is_a_secret_and_has_to_be_safe() {
        for wrong in [
            "http://hooks.slack.com/services/T0/planted",
            "hooks.slack.com/planted",
            "https://planted:planted@hooks.slack.com/x",
            "",
        ] {
            let error = SlackNotifier::new(wrong.into()).unwrap_err().to_string();
            assert!(!error.contains("planted"), "{error}");
        }
        let hook = "https://hooks.slack.com/services/T0/B0/planted";
        let slack = SlackNotifier::new(hook.into()).unwrap();
        assert_eq!(
            format!("{slack:?} {slack}"),
            "slack at hooks.slack.com slack at hooks.slack.com"
        );
        assert_eq!(slack.doubt(), None);
        let odd = SlackNotifier::new("https://hooks.example.com/services/planted".into()).unwrap();
        let doubt = odd.doubt().unwrap();
        assert!(doubt.contains("hooks.example.com") && !doubt.contains("planted"));
    }
}
