//! E-mail by SMTP. Outside of this machine nothing is said in plain text.

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use caio_core::escalation::{AlertChannel, Told};
use lettre::Message;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use secrecy::{ExposeSecret, SecretString};

use super::{Notice, Notifier, NotifierError, cut};
use crate::providers::http;

/// Longest wait for the server to be ready, and then for it to take the message.
const READY: Duration = Duration::from_secs(15);
const TAKEN: Duration = Duration::from_secs(20);
/// Longest wait for the end of a conversation that is over.
const GOODBYE: Duration = Duration::from_secs(2);

/// The port on which a server speaks TLS from the first byte.
const TLS_PORT: u16 = 465;

/// Longest subject, in characters.
const LONGEST_SUBJECT: usize = 180;

/// How what is said is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Not at all: on this machine only.
    Plain,
    /// `STARTTLS`, and nothing before it; a server without it is refused.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// A mail server, who writes and who is told.
#[derive(Debug, Clone)]
pub struct SmtpOptions {
    host: String,
    port: u16,
    security: Security,
    login: Option<(String, SecretString)>,
    from: Mailbox,
    to: Mailbox,
    /// Longest wait for the server to be ready, and for it to take the message.
    pub timeouts: (Duration, Duration),
}

impl SmtpOptions {
    /// Options; [`Security`] follows from host and port.
    ///
    /// # Errors
    /// For an empty host or port, and addresses that are none.
    pub fn new(host: &str, port: u16, from: &str, to: &str) -> Result<Self, NotifierError> {
        let host = host.trim().trim_matches(['[', ']']);
        if host.is_empty() || port == 0 {
            return Err(wrong("the mail server has no name or no port"));
        }
        let security = match (is_here(host), port) {
            (true, _) => Security::Plain,
            (false, TLS_PORT) => Security::Tls,
            (false, _) => Security::StartTls,
        };
        let address = |name: &str, text: &str| {
            let parsed: Result<Mailbox, _> = text.parse();
            parsed.map_err(|_| wrong(&format!("{name} is no e-mail address")))
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            security,
            login: None,
            from: address("the sender (NOTIFICATION_EMAIL_FROM)", from)?,
            to: address("the recipient (ESCALATION_EMAIL)", to)?,
            timeouts: (READY, TAKEN),
        })
    }

    /// The same, with a login.
    #[must_use]
    pub fn login(mut self, user: &str, password: SecretString) -> Self {
        self.login = Some((user.to_owned(), password));
        self
    }

    /// The same, protected otherwise.
    ///
    /// # Errors
    /// For [`Security::Plain`] outside of this machine.
    pub fn secured(mut self, security: Security) -> Result<Self, NotifierError> {
        if security == Security::Plain && !is_here(&self.host) {
            return Err(wrong("plain text is for a server on this machine only"));
        }
        self.security = security;
        Ok(self)
    }
}

fn wrong(reason: &str) -> NotifierError {
    NotifierError {
        channel: AlertChannel::Email,
        reason: reason.to_owned(),
    }
}

fn is_here(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "::1")
}

/// Tells one address.
pub struct SmtpNotifier {
    options: SmtpOptions,
    tls: Option<TlsParameters>,
}

impl SmtpNotifier {
    /// A notifier.
    ///
    /// # Errors
    /// For a host name that no certificate could be for.
    pub fn new(options: SmtpOptions) -> Result<Self, NotifierError> {
        http::init_crypto();
        let tls = match options.security {
            Security::Plain => None,
            Security::StartTls | Security::Tls => {
                let parameters = TlsParameters::new(options.host.clone());
                Some(parameters.map_err(|error| wrong(&error.to_string()))?)
            }
        };
        Ok(Self { options, tls })
    }

    /// Connects, protects, logs in: whatever fails here, nothing was sent.
    async fn open(&self) -> Result<AsyncSmtpConnection, Told> {
        let options = &self.options;
        let name = ClientId::Domain("caio.local".to_owned());
        let (first, later) = match options.security {
            Security::Plain => (None, None),
            Security::StartTls => (None, self.tls.clone()),
            Security::Tls => (self.tls.clone(), None),
        };
        let server = (options.host.as_str(), options.port);
        let timeout = Some(options.timeouts.0);
        let connection =
            AsyncSmtpConnection::connect_tokio1(server, timeout, &name, first, None).await;
        let mut connection = connection.map_err(|error| not_sent(&error))?;
        if let Some(tls) = later {
            if !connection.can_starttls() {
                connection.abort().await;
                return Err(Told::Refused {
                    reason: "the server offers no STARTTLS; nothing is said to it in plain text"
                        .to_owned(),
                });
            }
            let secured = connection.starttls(tls, &name).await;
            secured.map_err(|error| not_sent(&error))?;
        }
        if let Some((user, password)) = &options.login {
            let login = Credentials::new(user.clone(), password.expose_secret().to_owned());
            let login = connection
                .auth(&[Mechanism::Plain, Mechanism::Login], &login)
                .await;
            login.map_err(|error| not_sent(&error))?;
        }
        Ok(connection)
    }

    /// Up to where the server waits for the text: still nothing was sent.
    async fn ready(&self) -> Result<AsyncSmtpConnection, Told> {
        let mut connection = self.open().await?;
        let (from, to) = (&self.options.from.email, &self.options.to.email);
        let asked: Result<(), Error> = async {
            connection
                .command(Mail::new(Some(from.clone()), Vec::new()))
                .await?;
            connection
                .command(Rcpt::new(to.clone(), Vec::new()))
                .await?;
            connection.command(Data).await?;
            Ok(())
        }
        .await;
        match asked {
            Ok(()) => Ok(connection),
            Err(error) => {
                let told = not_sent(&error);
                let _ = tokio::time::timeout(GOODBYE, connection.abort()).await;
                Err(told)
            }
        }
    }

    fn message(&self, notice: &Notice) -> Result<Vec<u8>, Told> {
        let domain = self.options.from.email.domain();
        let subject = format!("[caio, level {}] {}", notice.level.number(), notice.title);
        let subject: String = subject
            .chars()
            .map(|it| if it.is_control() { ' ' } else { it })
            .collect();
        let builder: MessageBuilder = Message::builder()
            .from(self.options.from.clone())
            .to(self.options.to.clone())
            .subject(cut(&subject, LONGEST_SUBJECT))
            // The same each time: who gets it twice can see that it is one.
            .message_id(Some(format!("<{}@{domain}>", notice.id)))
            .date(SystemTime::from(notice.raised_at))
            .header(ContentType::TEXT_PLAIN);
        match builder.body(notice.plain()) {
            Ok(message) => Ok(message.formatted()),
            Err(error) => Err(Told::Refused {
                reason: format!("the message cannot be written: {error}"),
            }),
        }
    }
}

#[async_trait]
impl Notifier for SmtpNotifier {
    fn channel(&self) -> AlertChannel {
        AlertChannel::Email
    }

    async fn notify(&self, notice: &Notice) -> Told {
        let message = match self.message(notice) {
            Ok(message) => message,
            Err(told) => return told,
        };
        let (ready, taken) = self.options.timeouts;
        let mut connection = match tokio::time::timeout(ready, self.ready()).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(told)) => return told,
            Err(_) => {
                return Told::Later {
                    reason: "the server was not ready in time".to_owned(),
                    after: None,
                };
            }
        };
        let told = match tokio::time::timeout(taken, connection.message(&message)).await {
            Ok(Ok(response)) => Told::Sent {
                receipt: cut(response.first_line().unwrap_or("taken"), 120),
            },
            Ok(Err(error)) if error.status().is_some() => not_sent(&error),
            Ok(Err(error)) => Told::Unknown {
                reason: format!("the answer to the message was lost: {}", describe(&error)),
            },
            Err(_) => Told::Unknown {
                reason: "the server did not say in time whether it took the message".to_owned(),
            },
        };
        // What it answers to a goodbye changes nothing.
        let _ = tokio::time::timeout(GOODBYE, connection.quit()).await;
        told
    }
}

/// What an answer before the message was taken means: 4xx later, 5xx for good, no answer later.
fn not_sent(error: &Error) -> Told {
    let reason = describe(error);
    if error.is_permanent() || error.is_client() {
        let meaning = meaning(&reason);
        return Told::Refused {
            reason: format!("{reason}{meaning}"),
        };
    }
    Told::Later {
        reason,
        after: None,
    }
}

/// Whom an enhanced status code blames.
fn meaning(reason: &str) -> &'static str {
    if reason.contains("5.1.") || reason.contains("5.2.") {
        " (the recipient: check ESCALATION_EMAIL)"
    } else if reason.contains("5.4.5") || reason.contains("5.7.") {
        " (the sender or a policy: check SMTP_USER, SMTP_PASSWORD and NOTIFICATION_EMAIL_FROM)"
    } else {
        ""
    }
}

/// The error and its causes, cut short.
fn describe(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    cut(&text, 300)
}

impl fmt::Debug for SmtpNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for SmtpNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SmtpOptions { host, port, .. } = &self.options;
        write!(f, "e-mail by {host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use caio_core::escalation::Level;
    use jiff::Timestamp;

    use super::*;

    fn options(host: &str, port: u16) -> SmtpOptions {
        SmtpOptions::new(host, port, "caio@example.com", "Ann <ann@example.com>").unwrap()
    }

    #[test]
    fn plain_text_stays_on_this_machine() {
        for (host, port, expected) in [
            ("127.0.0.1", 2525, Security::Plain),
            ("localhost", 25, Security::Plain),
            ("[::1]", 2525, Security::Plain),
            ("smtp.example.com", 25, Security::StartTls),
            ("smtp.example.com", 587, Security::StartTls),
            ("smtp.example.com", 465, Security::Tls),
            ("127.0.0.1.example.com", 25, Security::StartTls),
        ] {
            assert_eq!(options(host, port).security, expected, "{host}:{port}");
        }
        let plain = |host| options(host, 25).secured(Security::Plain);
        assert!(plain("smtp.example.com").is_err());
        assert!(plain("localhost").is_ok());
    }

    #[test]
    fn what_cannot_be_an_address_is_refused_and_the_password_never_shown() {
        for (from, to) in [
            ("", "a@example.com"),
            ("a@example.com", "nobody"),
            ("x", "y"),
        ] {
            assert!(SmtpOptions::new("localhost", 25, from, to).is_err());
        }
        let options = options("smtp.example.com", 587).login("kim", "planted".into());
        let smtp = SmtpNotifier::new(options).unwrap();
        let shown = format!("{smtp} {smtp:?} {:?}", smtp.options);
        assert!(!shown.contains("planted"), "{shown}");
    }

    #[test]
    fn a_title_of_several_lines_adds_no_header() {
        let smtp = SmtpNotifier::new(options("localhost", 25)).unwrap();
        let notice = Notice {
            id: "a1".to_owned(),
            raised_at: Timestamp::from_second(1_772_452_800).unwrap(),
            level: Level::Three,
            heading: String::new(),
            title: "Stopped\r\nBcc: eve@example.com".to_owned(),
            text: "Why: nobody knows.".to_owned(),
            link: Some("https://caio.example.com/".to_owned()),
        };
        let message = String::from_utf8(smtp.message(&notice).unwrap()).unwrap();
        let (head, _) = message.split_once("\r\n\r\n").unwrap();
        assert!(!head.contains("\nBcc:"), "{head}");
        assert!(
            message.contains("Message-ID: <a1@example.com>"),
            "{message}"
        );
        assert!(
            message.contains("Date: Mon, 02 Mar 2026 12:00:00 +0000"),
            "{message}"
        );
        assert!(message.contains("https://caio.example.com/"), "{message}");
    }
}
