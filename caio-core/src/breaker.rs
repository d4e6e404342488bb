//! A circuit breaker as values: no provider is hammered while it fails.
//!
//! Closed until `failures` in a row; then open for `rest`; then one trial, whose outcome decides.

use jiff::{SignedDuration, Timestamp};

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Failures in a row that open it.
    pub failures: u32,
    /// How long it stays open.
    pub rest: SignedDuration,
}

impl Default for BreakerPolicy {
    /// Five failures in a row, then half a minute of rest.
    fn default() -> Self {
        Self {
            failures: 5,
            rest: SignedDuration::from_secs(30),
        }
    }
}

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaker {
    /// Calls pass; so many failed in a row.
    Closed(u32),
    /// No call passes before this instant.
    Open(Timestamp),
    /// One call is being tried since this instant.
    Trial(Timestamp),
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed(0)
    }
}

impl Breaker {
    /// Asks to make a call: the state afterwards, or until when there is none.
    ///
    /// A trial that never reported back lets another one through after the same rest.
    ///
    /// # Errors
    /// The instant from which on it is worth asking again.
    pub fn ask(self, policy: BreakerPolicy, now: Timestamp) -> Result<Self, Timestamp> {
        match self {
            Self::Closed(_) => Ok(self),
            Self::Open(until) if now >= until => Ok(Self::Trial(now)),
            Self::Open(until) => Err(until),
            Self::Trial(since) => {
                let until = after(since, policy.rest);
                if now >= until {
                    Ok(Self::Trial(now))
                } else {
                    Err(until)
                }
            }
        }
    }

    /// The state after a call: the provider answered, or it failed.
    #[must_use]
    pub fn told(self, policy: BreakerPolicy, now: Timestamp, answered: bool) -> Self {
        let open = Self::Open(after(now, policy.rest));
        match self {
            _ if answered => Self::Closed(0),
            Self::Closed(failures) if failures + 1 < policy.failures => Self::Closed(failures + 1),
            Self::Closed(_) | Self::Trial(_) => open,
            // A call that began before it opened says nothing new.
            Self::Open(until) => Self::Open(until),
        }
    }

    /// Whether calls are being refused.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open(_) | Self::Trial(_))
    }
}

fn after(instant: Timestamp, span: SignedDuration) -> Timestamp {
    instant.checked_add(span).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POLICY: BreakerPolicy = BreakerPolicy {
        failures: 3,
        rest: SignedDuration::from_secs(10),
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_772_452_800 + second).unwrap()
    }

    #[test]
    fn it_opens_rests_and_tries_once() {
        let mut breaker = Breaker::default();
        for second in 0..3 {
            breaker = breaker.ask(POLICY, at(second)).unwrap();
            breaker = breaker.told(POLICY, at(second), false);
        }
        assert_eq!(breaker.ask(POLICY, at(5)), Err(at(12)));
        let trial = breaker.ask(POLICY, at(12)).unwrap();
        assert_eq!(
            trial.ask(POLICY, at(12)),
            Err(at(22)),
            "one trial at a time"
        );
        assert_eq!(trial.told(POLICY, at(13), true), Breaker::Closed(0));
        let again = trial.told(POLICY, at(13), false);
        assert_eq!(again.ask(POLICY, at(14)), Err(at(23)));
        assert!(trial.ask(POLICY, at(22)).is_ok(), "a trial may get lost");
    }

    #[test]
    fn an_answer_forgets_what_failed_before() {
        let breaker = Breaker::Closed(2).told(POLICY, at(0), true);
        assert_eq!(breaker, Breaker::Closed(0));
        assert!(!breaker.is_open());
    }

    proptest! {
        #[test]
        fn it_never_stays_shut_for_longer_than_a_rest(events in prop::collection::vec(any::<(bool, u8)>(), 0..60)) {
            let (mut breaker, mut now) = (Breaker::default(), 0);
            for (answered, pause) in events {
                now += i64::from(pause % 8);
                if let Ok(asked) = breaker.ask(POLICY, at(now)) {
                    breaker = asked.told(POLICY, at(now), answered);
                }
                prop_assert!(breaker.ask(POLICY, at(now + 10)).is_ok());
            }
        }
    }
}
