//! Who is told, how loudly, and what counts as told: the escalation rubric.
//!
//! Level 1 is Slack, level 2 adds SMS, level 3 adds e-mail. As many ways are tried as the level has: a
//! channel that is not configured, or that fails, does not count as told, and the next one takes its
//! place (the Python system told nobody at level 1 without Slack, and called a fallback Slack).
//! Recipients come from configuration; none is compiled in.

mod attempt;
mod folding;
mod subject;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::terms::terms;

pub use attempt::{LONGEST_PAUSE, MOST_ATTEMPTS, Next, Told, next};
pub use folding::{FOLD_WINDOW, Fold, Raised, fingerprint, raise};
pub use subject::{BOUNCES_ALLOWED_PERCENT, BOUNCES_COUNT_FROM, Folds, Subject, bounce_rate};

/// How loudly somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u8", from = "i64")]
pub enum Level {
    /// Slack.
    One,
    /// Slack and SMS.
    Two,
    /// Slack, SMS and e-mail.
    Three,
}

terms! {
    /// A way to tell somebody.
    AlertChannel, "alert channel", "slack, sms, email" {
        /// A Slack webhook.
        Slack = "slack",
        /// A text message.
        Sms = "sms",
        /// An e-mail.
        Email = "email",
    }
}

terms! {
    /// What became of one channel of an alert.
    ChannelResult, "channel result", "sent, fell_back, not_configured, failed" {
        /// It was taken.
        Sent = "sent",
        /// It failed, and another channel was told in its place.
        FellBack = "fell_back",
        /// Nobody can be told this way.
        NotConfigured = "not_configured",
        /// It failed for good, or ended unknown.
        Failed = "failed",
    }
}

impl Level {
    /// The level of a number, as configuration and requests give it: below 1 is 1, above 3 is 3.
    pub const fn from_number(number: i64) -> Self {
        match number {
            ..=1 => Self::One,
            2 => Self::Two,
            _ => Self::Three,
        }
    }

    /// 1, 2 or 3.
    pub const fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Three => 3,
        }
    }

    /// The channels of this level, in the order in which they are tried.
    pub const fn channels(self) -> &'static [AlertChannel] {
        match self {
            Self::One => &[AlertChannel::Slack],
            Self::Two => &[AlertChannel::Slack, AlertChannel::Sms],
            Self::Three => &[AlertChannel::Slack, AlertChannel::Sms, AlertChannel::Email],
        }
    }
}

impl From<Level> for u8 {
    fn from(level: Level) -> Self {
        level.number()
    }
}

impl From<i64> for Level {
    fn from(number: i64) -> Self {
        Self::from_number(number)
    }
}

/// Which channels are configured, each with somebody to tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Configured {
    /// A Slack webhook.
    pub slack: bool,
    /// A text message sender and a number.
    pub sms: bool,
    /// A mail server and an address.
    pub email: bool,
}

impl Configured {
    const fn has(self, channel: AlertChannel) -> bool {
        match channel {
            AlertChannel::Slack => self.slack,
            AlertChannel::Sms => self.sms,
            AlertChannel::Email => self.email,
        }
    }
}

/// Whom to tell, and what to report where that is not possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Told in this order, each whatever became of the others.
    pub tell: Vec<AlertChannel>,
    /// Told, in this order, one for each channel of the level that is missing or fails.
    pub fallback: Vec<AlertChannel>,
    /// Channels of the level that are not configured.
    pub not_configured: Vec<AlertChannel>,
}

/// Who is told at `level`.
///
/// Every configured channel of the level; the configured rest stands in for those that are missing or
/// fail, e-mail first. Nobody at all only where nothing is configured, and then the plan says so.
pub fn plan(level: Level, configured: Configured) -> Plan {
    let (tell, not_configured) = level
        .channels()
        .iter()
        .partition(|channel| configured.has(**channel));
    let fallback = [AlertChannel::Email, AlertChannel::Slack, AlertChannel::Sms]
        .into_iter()
        .filter(|channel| configured.has(*channel) && !level.channels().contains(channel))
        .collect();
    Plan {
        tell,
        fallback,
        not_configured,
    }
}

/// How a channel ended for one alert; a channel that is still being tried has no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// It was taken.
    Sent,
    /// It was not, or nobody knows, and it is not tried again.
    Failed,
}

impl Plan {
    /// No channel is configured.
    pub const fn reaches_nobody(&self) -> bool {
        self.tell.is_empty() && self.fallback.is_empty()
    }

    /// Channels still to be tried, in order; empty when the alert is over.
    pub fn due(&self, ended: &BTreeMap<AlertChannel, Ended>) -> Vec<AlertChannel> {
        let failed = self
            .used()
            .filter(|it| ended.get(it) == Some(&Ended::Failed));
        let stand_ins = self.not_configured.len() + failed.count();
        let wanted = self.tell.iter().chain(self.fallback.iter().take(stand_ins));
        wanted
            .filter(|channel| !ended.contains_key(channel))
            .copied()
            .collect()
    }

    /// What to report of each channel that the plan names, once nothing is due any more. A failed one
    /// fell back where another took its place; those that are not configured are served first.
    pub fn results(
        &self,
        ended: &BTreeMap<AlertChannel, Ended>,
    ) -> BTreeMap<AlertChannel, ChannelResult> {
        let is_sent = |channel: &&AlertChannel| ended.get(channel) == Some(&Ended::Sent);
        let took_over = self.fallback.iter().filter(is_sent).count();
        let mut left = took_over.saturating_sub(self.not_configured.len());
        let mut results: BTreeMap<_, _> = self
            .not_configured
            .iter()
            .map(|channel| (*channel, ChannelResult::NotConfigured))
            .collect();
        for channel in self.used() {
            let result = match ended.get(channel) {
                None => continue,
                Some(Ended::Sent) => ChannelResult::Sent,
                Some(Ended::Failed) if left > 0 => {
                    left -= 1;
                    ChannelResult::FellBack
                }
                Some(Ended::Failed) => ChannelResult::Failed,
            };
            results.insert(*channel, result);
        }
        results
    }

    fn used(&self) -> impl Iterator<Item = &AlertChannel> {
        self.tell.iter().chain(&self.fallback)
    }
}

#[cfg(test)]
mod tests;
