//! Who is told, and how loudly: the escalation rubric.
//!
//! Level 1 is Slack, level 2 adds SMS, level 3 adds e-mail. A channel that is not configured does
//! not count as told: the plan goes on to the next one (the Python system told nobody at level 1
//! without Slack). Recipients come from configuration; none is compiled in.

use std::fmt;

/// How loudly somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Slack.
    One,
    /// Slack and SMS.
    Two,
    /// Slack, SMS and e-mail.
    Three,
}

/// A way to tell somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertChannel {
    /// A Slack webhook.
    Slack,
    /// A text message.
    Sms,
    /// An e-mail.
    Email,
}

/// What somebody is told about; it picks the level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Subject {
    /// A batch waits, for so many whole hours.
    BatchWaiting {
        /// Hours since it was created.
        hours: u32,
        /// From this many hours on it is one level louder; twice as many, two.
        louder_after_hours: u32,
    },
    /// A batch expired with messages that were not sent.
    BatchExpired,
    /// A message whose outcome nobody knows.
    UnknownOutcome,
    /// A limit was reached.
    LimitReached,
    /// A provider's circuit breaker opened.
    BreakerOpened,
    /// The bounce rate is over its threshold.
    BounceRate,
    /// The emergency stop was set.
    Stopped,
    /// An item with a risk from 0 to 1.
    Risk(f64),
    /// A lead that shows interest, `hot` or less.
    Interest {
        /// It is a hot one.
        hot: bool,
    },
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

/// The level of a subject. A risk that is no number counts as the highest.
pub fn level(subject: Subject) -> Level {
    match subject {
        Subject::BatchWaiting {
            hours,
            louder_after_hours,
        } => match hours / louder_after_hours.max(1) {
            0 => Level::One,
            1 => Level::Two,
            _ => Level::Three,
        },
        Subject::BatchExpired | Subject::LimitReached => Level::One,
        Subject::Risk(risk) if risk < 0.7 => Level::One,
        Subject::Risk(risk) if risk < 0.9 => Level::Two,
        Subject::UnknownOutcome | Subject::BreakerOpened | Subject::Interest { hot: false } => {
            Level::Two
        }
        Subject::BounceRate
        | Subject::Stopped
        | Subject::Risk(_)
        | Subject::Interest { hot: true } => Level::Three,
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
    /// Told, in this order, only if none above was reached.
    pub fallback: Vec<AlertChannel>,
    /// Channels of the level that are not configured.
    pub not_configured: Vec<AlertChannel>,
}

/// Who is told at `level`.
///
/// Every configured channel of the level; the configured rest is the fallback for when none of them
/// answers. Nobody at all only where nothing is configured, and then the plan says so.
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

impl Plan {
    /// No channel is configured.
    pub const fn reaches_nobody(&self) -> bool {
        self.tell.is_empty() && self.fallback.is_empty()
    }
}

impl fmt::Display for AlertChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Slack => "slack",
            Self::Sms => "sms",
            Self::Email => "email",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Configured = Configured {
        slack: true,
        sms: true,
        email: true,
    };

    #[test]
    fn each_level_adds_a_channel() {
        use AlertChannel::{Email, Slack, Sms};
        assert_eq!(plan(Level::One, ALL).tell, [Slack]);
        assert_eq!(plan(Level::Two, ALL).tell, [Slack, Sms]);
        assert_eq!(plan(Level::Three, ALL).tell, [Slack, Sms, Email]);
        assert_eq!(plan(Level::One, ALL).fallback, [Email, Sms]);
    }

    #[test]
    fn level_1_without_slack_still_tells_somebody() {
        let without = Configured {
            slack: false,
            ..ALL
        };
        let told = plan(Level::One, without);
        assert_eq!(told.fallback, [AlertChannel::Email, AlertChannel::Sms]);
        assert_eq!(told.not_configured, [AlertChannel::Slack]);
    }

    #[test]
    fn nobody_is_told_only_when_nothing_is_configured() {
        for bits in 0_u8..8 {
            let configured = Configured {
                slack: bits & 1 != 0,
                sms: bits & 2 != 0,
                email: bits & 4 != 0,
            };
            for level in [Level::One, Level::Two, Level::Three] {
                let plan = plan(level, configured);
                assert_eq!(plan.reaches_nobody(), bits == 0);
                assert_eq!(
                    plan.tell.len() + plan.not_configured.len(),
                    level.channels().len()
                );
            }
        }
    }

    #[test]
    fn numbers_outside_are_the_nearest_level() {
        for (number, expected) in [(-3, 1), (0, 1), (1, 1), (2, 2), (3, 3), (99, 3)] {
            assert_eq!(Level::from_number(number).number(), expected);
        }
    }

    #[test]
    fn the_subject_picks_the_level() {
        for (risk, expected) in [
            (0.0, 1),
            (0.69, 1),
            (0.7, 2),
            (0.89, 2),
            (0.9, 3),
            (f64::NAN, 3),
        ] {
            assert_eq!(level(Subject::Risk(risk)).number(), expected, "{risk}");
        }
        let waiting = |hours| {
            level(Subject::BatchWaiting {
                hours,
                louder_after_hours: 4,
            })
            .number()
        };
        assert_eq!(
            [waiting(0), waiting(3), waiting(4), waiting(8)],
            [1, 1, 2, 3]
        );
        assert_eq!(level(Subject::Interest { hot: true }), Level::Three);
        assert_eq!(level(Subject::Interest { hot: false }), Level::Two);
    }
}
