//! One attempt on one channel: what its answer means for the next.

use std::time::Duration;

use super::{AlertChannel, Ended};

/// Attempts on one channel for one alert, at most.
pub const MOST_ATTEMPTS: u32 = 3;

/// Longest pause before the next attempt, whatever a channel asks for.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Pause after the first attempt; it doubles.
const PAUSE: Duration = Duration::from_secs(5);

/// What one attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The channel has taken it.
    Sent {
        /// Its own name for the message, or what it said.
        receipt: String,
    },
    /// It certainly has not, and may later.
    Later {
        /// Why.
        reason: String,
        /// How long it asks to wait.
        after: Option<Duration>,
    },
    /// It has not, and would not later either.
    Refused {
        /// Why.
        reason: String,
    },
    /// The answer was lost: it may have been taken.
    Unknown {
        /// What happened.
        reason: String,
    },
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing: this channel is done.
    End(Ended),
    /// Another attempt after this pause.
    Again(Duration),
}

/// What follows the `attempts`-th attempt (from 1) on a channel; `seed` spreads the pauses of
/// different alerts by up to a quarter.
///
/// A text message whose answer was lost is not sent again: each is paid for, and Twilio takes the same
/// one twice. Slack and e-mail are, a bounded number of times.
pub fn next(channel: AlertChannel, told: &Told, attempts: u32, seed: u64) -> Next {
    let pause = match told {
        Told::Sent { .. } => return Next::End(Ended::Sent),
        Told::Refused { .. } => return Next::End(Ended::Failed),
        Told::Unknown { .. } if channel == AlertChannel::Sms => return Next::End(Ended::Failed),
        Told::Later {
            after: Some(asked), ..
        } => *asked,
        Told::Later { after: None, .. } | Told::Unknown { .. } => {
            PAUSE * 2_u32.saturating_pow(attempts.saturating_sub(1).min(8))
        }
    };
    if attempts >= MOST_ATTEMPTS {
        return Next::End(Ended::Failed);
    }
    let pause = pause.min(LONGEST_PAUSE);
    let spread = pause / 4 * u32::try_from(seed % 101).unwrap_or(0) / 100;
    Next::Again((pause + spread).min(LONGEST_PAUSE))
}

impl Told {
    /// What was said: the receipt or the reason.
    pub fn detail(&self) -> &str {
        match self {
            Self::Sent { receipt } => receipt,
            Self::Later { reason, .. } | Self::Refused { reason } | Self::Unknown { reason } => {
                reason
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn later(after: Option<u64>) -> Told {
        Told::Later {
            reason: String::new(),
            after: after.map(Duration::from_secs),
        }
    }

    fn unknown() -> Told {
        Told::Unknown {
            reason: String::new(),
        }
    }

    #[test]
    fn a_pause_that_is_asked_for_is_bounded() {
        for (asked, waited) in [(0, 0), (7, 7), (30, 30), (31, 30), (u64::MAX, 30)] {
            let next = next(AlertChannel::Slack, &later(Some(asked)), 1, 0);
            assert_eq!(next, Next::Again(Duration::from_secs(waited)), "{asked}");
        }
    }

    #[test]
    fn an_sms_whose_answer_was_lost_is_never_sent_again() {
        let next = |channel| next(channel, &unknown(), 1, 0);
        assert_eq!(next(AlertChannel::Sms), Next::End(Ended::Failed));
        assert_eq!(next(AlertChannel::Slack), Next::Again(PAUSE));
        assert_eq!(next(AlertChannel::Email), Next::Again(PAUSE));
    }

    proptest! {
        #[test]
        fn attempts_end(seed in any::<u64>(), asked in prop::option::of(any::<u64>()), lost in any::<bool>()) {
            let told = if lost { unknown() } else { later(asked) };
            for channel in AlertChannel::ALL {
                let ended = (1..=MOST_ATTEMPTS).filter(|n| matches!(next(*channel, &told, *n, seed), Next::End(_)));
                prop_assert!(ended.count() >= 1);
                prop_assert_eq!(next(*channel, &told, MOST_ATTEMPTS, seed), Next::End(Ended::Failed));
            }
        }
    }
}
