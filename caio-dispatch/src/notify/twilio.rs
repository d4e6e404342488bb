//! Text messages by Twilio: a form in, JSON out, and the same message twice is two messages.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use caio_core::escalation::{AlertChannel, Told};
use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{Notice, Notifier, NotifierError, cut};
use crate::providers::http;

/// Longest wait for a connection, and for an answer.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(15);

/// Longest text that Twilio takes, in characters.
const LONGEST: usize = 1_600;

/// Where Twilio is.
const BASE: &str = "https://api.twilio.com";

/// How to reach Twilio, who sends and who is told.
#[derive(Debug, Clone)]
pub struct TwilioOptions {
    /// Another address than Twilio's: https, or http on this machine.
    pub base: Option<String>,
    /// The account, `AC…`.
    pub account: String,
    /// Its auth token.
    pub token: SecretString,
    /// A number (`+` and 10 to 15 digits), or a messaging service (`MG…`).
    pub from: String,
    /// The number that is told.
    pub to: String,
    /// Longest wait for an answer.
    pub timeout: Duration,
}

impl TwilioOptions {
    /// Options for Twilio itself.
    pub fn new(account: &str, token: SecretString, from: &str, to: &str) -> Self {
        Self {
            base: None,
            account: account.to_owned(),
            token,
            from: from.to_owned(),
            to: to.to_owned(),
            timeout: ANSWER,
        }
    }
}

/// Tells one number.
pub struct TwilioNotifier {
    client: Client,
    url: String,
    options: TwilioOptions,
}

impl TwilioNotifier {
    /// A notifier.
    ///
    /// # Errors
    /// For numbers in another form, an account that is none, an empty token, an unsafe address.
    pub fn new(options: TwilioOptions) -> Result<Self, NotifierError> {
        let wrong = |reason: String| NotifierError {
            channel: AlertChannel::Sms,
            reason,
        };
        for (name, number) in [("from", &options.from), ("to", &options.to)] {
            if !(is_number(number) || name == "from" && is_service(number)) {
                let expected = "expected + and 10 to 15 digits";
                return Err(wrong(format!(
                    "the number {name} is in another form: {expected}"
                )));
            }
        }
        let is_account = !options.account.is_empty()
            && options.account.bytes().all(|it| it.is_ascii_alphanumeric());
        if !is_account || options.token.expose_secret().is_empty() {
            return Err(wrong(
                "the account (AC…) or its auth token is empty or none".to_owned(),
            ));
        }
        let base = options.base.as_deref().unwrap_or(BASE);
        let base = http::safe_url(base).ok_or_else(|| {
            wrong("the address has to be https, or http on this machine".to_owned())
        })?;
        let base = base.as_str().trim_end_matches('/');
        let url = format!(
            "{base}/2010-04-01/Accounts/{}/Messages.json",
            options.account
        );
        let client = http::client(HeaderMap::new(), CONNECT, options.timeout);
        let client = client.map_err(|error| wrong(http::describe(error)))?;
        Ok(Self {
            client,
            url,
            options,
        })
    }

    fn form(&self, notice: &Notice) -> String {
        let from = if is_service(&self.options.from) {
            "MessagingServiceSid"
        } else {
            "From"
        };
        form_urlencoded::Serializer::new(String::new())
            .append_pair("To", &self.options.to)
            .append_pair(from, &self.options.from)
            .append_pair("Body", &cut(&notice.plain(), LONGEST))
            .finish()
    }
}

#[async_trait]
impl Notifier for TwilioNotifier {
    fn channel(&self) -> AlertChannel {
        AlertChannel::Sms
    }

    async fn notify(&self, notice: &Notice) -> Told {
        let token = self.options.token.expose_secret();
        let request = self
            .client
            .post(&self.url)
            .basic_auth(&self.options.account, Some(token))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(self.form(notice));
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() || error.is_builder() => {
                let reason = http::describe(error);
                return Told::Later {
                    reason,
                    after: None,
                };
            }
            Err(error) => return lost(&http::describe(error)),
        };
        let status = response.status().as_u16();
        let after = http::retry_after(response.headers());
        match http::read(response).await {
            Ok(body) => judge(status, &body, after),
            Err(reason) => lost(&reason),
        }
    }
}

fn is_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (10..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn is_service(text: &str) -> bool {
    text.strip_prefix("MG")
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn lost(what: &str) -> Told {
    Told::Unknown {
        reason: format!("{what}; it may have been sent, and is not sent again"),
    }
}

/// What a status and a body mean. A 5xx may have had its effect.
fn judge(status: u16, body: &[u8], after: Option<Duration>) -> Told {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = value.get("code").or_else(|| value.get("error_code"));
    let code = code.and_then(Value::as_u64);
    let sid = value.get("sid").and_then(Value::as_str);
    let state = value.get("status").and_then(Value::as_str).unwrap_or("");
    match (status, sid) {
        (200..=299, Some(_)) if matches!(state, "failed" | "undelivered" | "canceled") => {
            Told::Refused {
                reason: format!("took it and ended it as {state}{}", explained(code)),
            }
        }
        (200..=299, Some(sid)) => Told::Sent {
            receipt: cut(sid, 64),
        },
        (429, _) => Told::Later {
            reason: "asks for fewer messages (429)".to_owned(),
            after,
        },
        _ if code == Some(20_429) => Told::Later {
            reason: "asks for fewer messages (20429)".to_owned(),
            after,
        },
        (200..=299 | 500..=599, _) => lost(&format!("answered {status} and named no message")),
        (300..=399, _) => Told::Refused {
            reason: format!("answered {status}: redirects are not followed, check TWILIO_BASE_URL"),
        },
        _ => Told::Refused {
            reason: format!("refused it with {status}{}", explained(code)),
        },
    }
}

/// What a code of Twilio means, and what to do. Its own message may hold the number, so it is not kept.
fn explained(code: Option<u64>) -> String {
    let Some(code) = code else {
        return String::new();
    };
    let meaning = match code {
        20_003 => "the account or its token is wrong",
        21_211 | 21_214 => "the number that is told is not valid",
        21_408 => "messages to that country are not allowed for the account",
        21_606 | 21_612 | 21_603 => "the sending number cannot send there",
        21_608 => "a trial account sends to verified numbers only",
        21_610 => "that number has opted out of messages from the sending one",
        21_614 => "the number that is told is no mobile one",
        30_003 | 30_005 | 30_006 => "the phone cannot be reached",
        30_007 => "a carrier filtered it",
        _ => return format!(" ({code})"),
    };
    format!(" ({code}: {meaning})")
}

impl fmt::Debug for TwilioNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for TwilioNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = &self.options.to;
        let end = to.get(to.len().saturating_sub(2)..).unwrap_or_default();
        write!(f, "sms to +…{end}")
    }
}

#[cfg(test)]
mod tests {
    use caio_core::escalation::Level;
    use jiff::Timestamp;

    use super::*;

    fn options() -> TwilioOptions {
        TwilioOptions::new("AC1", "planted".into(), "+15550100000", "+15550100001")
    }

    #[test]
    fn each_answer_of_twilio_means_one_thing() {
        let kind = |told: &Told| match told {
            Told::Sent { .. } => "sent",
            Told::Later { .. } => "later",
            Told::Refused { .. } => "refused",
            Told::Unknown { .. } => "unknown",
        };
        for (status, body, expected) in [
            (201, r#"{"sid":"SM1","status":"queued"}"#, "sent"),
            (
                201,
                r#"{"sid":"SM1","status":"accepted","error_code":null}"#,
                "sent",
            ),
            (
                201,
                r#"{"sid":"SM1","status":"failed","error_code":30003}"#,
                "refused",
            ),
            (201, "<xml/>", "unknown"),
            (401, r#"{"code":20003,"status":401}"#, "refused"),
            (400, r#"{"code":21610,"status":400}"#, "refused"),
            (400, r#"{"code":21211,"message":"+15550100001"}"#, "refused"),
            (400, r#"{"code":20429}"#, "later"),
            (429, "", "later"),
            (404, "", "refused"),
            (500, "", "unknown"),
            (503, r#"{"code":20503}"#, "unknown"),
        ] {
            let told = judge(status, body.as_bytes(), None);
            assert_eq!(kind(&told), expected, "{status} {body}");
            assert!(!told.detail().contains("15550100001"), "{told:?}");
        }
        let opted_out = judge(400, br#"{"code":21610}"#, None);
        assert!(opted_out.detail().contains("opted out"), "{opted_out:?}");
    }

    #[test]
    fn numbers_are_checked_before_anything_is_sent() {
        for to in [
            "15550100001",
            "+1555",
            "+1555010000112345",
            "+1555010a001",
            "",
            "MG1",
        ] {
            let mut options = options();
            options.to = to.to_owned();
            assert!(TwilioNotifier::new(options).is_err(), "{to}");
        }
        let mut service = options();
        service.from = format!("MG{}", "0a".repeat(16));
        let form = TwilioNotifier::new(service).unwrap().form(&notice(""));
        assert!(
            form.contains("MessagingServiceSid=MG") && !form.contains("From="),
            "{form}"
        );
        for base in [
            "http://api.example.com",
            "https://me:planted@api.example.com",
        ] {
            let mut unsafe_one = options();
            unsafe_one.base = Some(base.to_owned());
            let error = TwilioNotifier::new(unsafe_one).unwrap_err().to_string();
            assert!(!error.contains("planted"), "{error}");
        }
    }

    fn notice(text: &str) -> Notice {
        Notice {
            id: "a1".to_owned(),
            raised_at: Timestamp::UNIX_EPOCH,
            level: Level::Two,
            heading: String::new(),
            title: "All sending was stopped".to_owned(),
            text: text.to_owned(),
            link: None,
        }
    }

    #[test]
    fn a_long_text_is_cut_and_nothing_shows_the_token() {
        let twilio = TwilioNotifier::new(options()).unwrap();
        let form = twilio.form(&notice(&"ü".repeat(3_000)));
        let body = form_urlencoded::parse(form.as_bytes()).find(|(name, _)| name == "Body");
        let body = body.unwrap().1.into_owned();
        assert_eq!(body.chars().count(), LONGEST);
        assert!(body.ends_with('…'));
        let shown = format!("{twilio:?} {twilio} {:?}", twilio.options);
        assert!(!shown.contains("planted"), "{shown}");
        assert_eq!(twilio.to_string(), "sms to +…01");
    }
}
