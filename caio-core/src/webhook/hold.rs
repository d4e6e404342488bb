//! Providers whose events are taken unsigned for some hours, so that no opt-out is lost while keys
//! are changed over: such an event can hold a lead and nothing else.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::Source;

/// Longest time that a hold may last.
pub const HOLD_AT_MOST: SignedDuration = SignedDuration::from_hours(72);

/// Which providers are on hold, and until when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holds(BTreeMap<Source, Timestamp>);

/// A hold that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadHold {
    /// It is not of the form.
    #[error(
        "`{given}` is no hold; expected provider:until, such as heyreach:2026-03-02T18:00:00Z, comma-separated"
    )]
    Form {
        /// What was given.
        given: String,
    },
    /// It would last too long.
    #[error("a hold until {until} would last longer than 72 hours")]
    TooLong {
        /// Its end.
        until: Timestamp,
    },
}

impl BadHold {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Form { .. } => "webhook.hold_form",
            Self::TooLong { .. } => "webhook.hold_too_long",
        }
    }
}

impl Holds {
    /// Reads `provider:until,provider:until`, the value of `CAIO_WEBHOOK_HOLD`; empty is none.
    ///
    /// # Errors
    /// Another form, and an end that lies more than [`HOLD_AT_MOST`] after `now`. An end that has
    /// passed is none.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, BadHold> {
        let mut holds = Self::default();
        for entry in text.split(',').map(str::trim).filter(|it| !it.is_empty()) {
            let form = || BadHold::Form {
                given: entry.to_owned(),
            };
            let (source, until) = entry.split_once(':').ok_or_else(form)?;
            let source = source.trim().parse().map_err(|_| form())?;
            let until: Timestamp = until.trim().parse().map_err(|_| form())?;
            holds.add(source, until, now)?;
        }
        Ok(holds)
    }

    /// Adds one; the later end counts.
    ///
    /// # Errors
    /// An end that lies more than [`HOLD_AT_MOST`] after `now`.
    pub fn add(&mut self, source: Source, until: Timestamp, now: Timestamp) -> Result<(), BadHold> {
        if until.duration_since(now) > HOLD_AT_MOST {
            return Err(BadHold::TooLong { until });
        }
        let end = self.0.entry(source).or_insert(until);
        *end = (*end).max(until);
        Ok(())
    }

    /// Adds those of `other`; the later end counts.
    pub fn merge(&mut self, other: &Self) {
        for (source, until) in &other.0 {
            let end = self.0.entry(*source).or_insert(*until);
            *end = (*end).max(*until);
        }
    }

    /// Until when `source` is on hold at `now`; `None` when it is not.
    pub fn until(&self, source: Source, now: Timestamp) -> Option<Timestamp> {
        self.0.get(&source).copied().filter(|until| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_ends_by_itself_and_never_lasts_long() {
        let now: Timestamp = "2026-03-02T10:00:00Z".parse().unwrap();
        let holds = Holds::parse(
            "heyreach:2026-03-02T18:00:00Z, rb2b:2026-03-02T09:00:00Z",
            now,
        );
        let holds = holds.unwrap();
        assert!(holds.until(Source::HeyReach, now).is_some());
        let later = "2026-03-02T18:00:00Z".parse().unwrap();
        assert_eq!(holds.until(Source::HeyReach, later), None);
        assert_eq!(holds.until(Source::Rb2b, now), None);
        assert_eq!(holds.until(Source::Instantly, now), None);
        assert_eq!(Holds::parse(" ", now), Ok(Holds::default()));
        for (bad, code) in [
            ("heyreach", "webhook.hold_form"),
            ("everybody:2026-03-02T18:00:00Z", "webhook.hold_form"),
            ("heyreach:tomorrow", "webhook.hold_form"),
            ("heyreach:2026-03-05T10:00:01Z", "webhook.hold_too_long"),
        ] {
            assert_eq!(Holds::parse(bad, now).unwrap_err().code(), code, "{bad}");
        }
    }
}
