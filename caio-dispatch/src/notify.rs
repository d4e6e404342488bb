//! Telling people: channels that take an alert, an outbox that outlives the process, and who looks.
//!
//! Raising an alert is one write ([`Alerts::raise`]); delivering it happens beside everything else, with
//! time-outs of its own ([`Drain`]). A channel's answer means one of four things
//! ([`Told`]), as a provider's does.

mod drain;
mod notes;
mod outbox;
mod slack;
mod smtp;
mod twilio;
mod watch;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use caio_core::escalation::{AlertChannel, Configured, Level, Told};
use jiff::Timestamp;

pub use drain::{Drain, Drained, Which};
pub use notes::Notes;
pub use outbox::{
    Acknowledged, Alert, AlertPolicy, AlertState, Alerts, Listed, Tried, acknowledge, list,
    retry_dead,
};
pub use slack::SlackNotifier;
pub use smtp::{Security, SmtpNotifier, SmtpOptions};
pub use twilio::{TwilioNotifier, TwilioOptions};
pub use watch::{batch_ready, bounced, expire, told_by_run, watch};

/// What somebody is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Id of the alert: the same each time it is tried.
    pub id: String,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// How loudly.
    pub level: Level,
    /// A few words, for a headline.
    pub heading: String,
    /// One line that says it all.
    pub title: String,
    /// What is behind it.
    pub text: String,
    /// Where to look, without any token.
    pub link: Option<String>,
}

/// A way to tell one group of people.
///
/// `Display` says where, `Debug` no more than that: neither shows a key.
#[async_trait]
pub trait Notifier: fmt::Debug + fmt::Display + Send + Sync {
    /// Which channel this is.
    fn channel(&self) -> AlertChannel;

    /// Hands one notice over, once, within its own time-out. What certainly was not taken says so;
    /// a lost answer is [`Told::Unknown`].
    async fn notify(&self, notice: &Notice) -> Told;
}

/// Why a channel cannot be used as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{channel}: {reason}")]
pub struct NotifierError {
    /// Which channel.
    pub channel: AlertChannel,
    /// What is wrong, and what was expected; never a secret.
    pub reason: String,
}

/// The channels that are configured, each once.
#[derive(Debug, Clone, Default)]
pub struct Notifiers(BTreeMap<AlertChannel, Arc<dyn Notifier>>);

impl Notifiers {
    /// The same with `notifier`, in place of another one of its channel.
    #[must_use]
    pub fn with(mut self, notifier: Arc<dyn Notifier>) -> Self {
        self.0.insert(notifier.channel(), notifier);
        self
    }

    /// Which channels there are.
    pub fn configured(&self) -> Configured {
        let has = |channel| self.0.contains_key(&channel);
        Configured {
            slack: has(AlertChannel::Slack),
            sms: has(AlertChannel::Sms),
            email: has(AlertChannel::Email),
        }
    }

    /// The notifier of a channel.
    pub fn of(&self, channel: AlertChannel) -> Option<&dyn Notifier> {
        self.0.get(&channel).map(AsRef::as_ref)
    }

    /// Every one, in the order of channels.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Notifier> {
        self.0.values().map(AsRef::as_ref)
    }
}

impl Notice {
    /// Title, text and link, as one message of plain text.
    fn plain(&self) -> String {
        let mut plain = format!("{}\n\n{}", self.title, self.text);
        if let Some(link) = &self.link {
            plain.push_str("\n\n");
            plain.push_str(link);
        }
        plain
    }
}

/// At most `most` characters; one that is cut says so by its last one.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}
