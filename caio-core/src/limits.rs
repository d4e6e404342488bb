//! Every limit that a send has to fit into, as data: windows with a counter key and a ceiling.
//!
//! Whoever delivers reserves one in each window before the call and releases it only when the
//! message was certainly not sent (CP5, CF-2). A counter belongs to a medium, not to a provider, so
//! that Instantly and GHL, first touches and follow-ups, share one allowance a business day.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::identity::EmailKey;
use crate::terms::{Medium, Motion};
use crate::time::rfc3339;
use crate::warmup::Schedule;

/// Ceilings of every window; `None` means that there is no such window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitPolicy {
    /// E-mails a business day.
    pub email_per_day: u32,
    /// LinkedIn contacts a business day.
    pub linkedin_per_day: u32,
    /// Revivals a business day, within the e-mails.
    pub revival_per_day: u32,
    /// E-mails an hour.
    pub email_per_hour: Option<u32>,
    /// E-mails an hour to one registrable domain.
    pub email_per_domain_hour: Option<u32>,
    /// E-mails a calendar month of the business time zone.
    pub email_per_month: Option<u32>,
    /// Messages of one campaign, ever.
    pub per_campaign: Option<u32>,
    /// Least time between two e-mails, seconds; 0 for none.
    pub email_min_delay_seconds: u32,
}

impl Default for LimitPolicy {
    fn default() -> Self {
        Self {
            email_per_day: 25,
            linkedin_per_day: 5,
            revival_per_day: 5,
            email_per_hour: Some(15),
            email_per_domain_hour: Some(3),
            email_per_month: Some(2500),
            per_campaign: Some(150),
            email_min_delay_seconds: 45,
        }
    }
}

/// The send that asks.
#[derive(Debug, Clone, Copy)]
pub struct SendRequest<'a> {
    /// Medium.
    pub medium: Medium,
    /// Programme.
    pub motion: Motion,
    /// To whom.
    pub recipient: &'a EmailKey,
    /// Campaign; `""` for none.
    pub campaign: &'a str,
    /// The run and its `--limit`, where one was given.
    pub run: Option<(&'a str, RunLimit)>,
}

/// Which window it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WindowName {
    /// A business day.
    Day,
    /// An hour, UTC.
    Hour,
    /// An hour and one registrable domain.
    DomainHour,
    /// A month.
    Month,
    /// A campaign.
    Campaign,
    /// The least time between two e-mails.
    Delay,
    /// Revivals of a business day.
    RevivalDay,
    /// `--limit` of one run.
    Run,
}

/// One limit that a send has to fit into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Which.
    pub name: WindowName,
    /// Last part of the counter's key; contains no address.
    pub key: String,
    /// At most this many in the window.
    pub ceiling: u32,
    /// From when on the counter may be dropped; `None` keeps it.
    pub ends: Option<Timestamp>,
}

impl LimitPolicy {
    /// The policy with the limits of today, which can only be lower.
    #[must_use]
    pub fn lowered_by(mut self, schedule: &Schedule) -> Self {
        self.email_per_day = self.email_per_day.min(schedule.email_per_day);
        self.linkedin_per_day = self.linkedin_per_day.min(schedule.linkedin_per_day);
        self.revival_per_day = self.revival_per_day.min(schedule.revival_per_day);
        self
    }

    /// The lower of both policies, window by window: two configurations never add up to more.
    #[must_use]
    pub fn tightest(&self, other: &Self) -> Self {
        let lower = |a: Option<u32>, b: Option<u32>| a.into_iter().chain(b).min();
        Self {
            email_per_day: self.email_per_day.min(other.email_per_day),
            linkedin_per_day: self.linkedin_per_day.min(other.linkedin_per_day),
            revival_per_day: self.revival_per_day.min(other.revival_per_day),
            email_per_hour: lower(self.email_per_hour, other.email_per_hour),
            email_per_domain_hour: lower(self.email_per_domain_hour, other.email_per_domain_hour),
            email_per_month: lower(self.email_per_month, other.email_per_month),
            per_campaign: lower(self.per_campaign, other.per_campaign),
            email_min_delay_seconds: self
                .email_min_delay_seconds
                .max(other.email_min_delay_seconds),
        }
    }

    /// The windows that `request` has to fit into at `now`, each with one to reserve.
    ///
    /// `zone` is the business time zone, which says what a day and a month are (CP9).
    pub fn windows(
        &self,
        request: &SendRequest<'_>,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Vec<Window> {
        let today = business_day(now, zone);
        let medium = request.medium;
        let daily = match medium {
            Medium::Email => self.email_per_day,
            Medium::LinkedIn => self.linkedin_per_day,
        };
        let day_ends = start_of_day(today.saturating_add(1.day()), zone);
        let mut windows = vec![Window {
            name: WindowName::Day,
            key: format!("{medium}:day:{today}"),
            ceiling: daily,
            ends: day_ends,
        }];
        if medium == Medium::Email {
            self.email_windows(request, now, today, zone, &mut windows);
        }
        if request.motion == Motion::Revival {
            windows.push(Window {
                name: WindowName::RevivalDay,
                key: format!("revival:day:{today}"),
                ceiling: self.revival_per_day,
                ends: day_ends,
            });
        }
        if let Some(ceiling) = self.per_campaign
            && !request.campaign.is_empty()
        {
            windows.push(Window {
                name: WindowName::Campaign,
                key: format!("campaign:{}", request.campaign),
                ceiling,
                ends: None,
            });
        }
        if let Some((run, RunLimit(ceiling))) = request.run {
            windows.push(Window {
                name: WindowName::Run,
                key: format!("run:{run}"),
                ceiling,
                ends: now.checked_add(48.hours()).ok(),
            });
        }
        windows
    }

    fn email_windows(
        &self,
        request: &SendRequest<'_>,
        now: Timestamp,
        today: Date,
        zone: &TimeZone,
        windows: &mut Vec<Window>,
    ) {
        let hour_number = now.as_second().div_euclid(3600);
        let hour_ends = Timestamp::from_second((hour_number + 1) * 3600).ok();
        // The local hour occurs twice when clocks go back; the UTC hour does not.
        let hour = hour_text(now);
        if let Some(ceiling) = self.email_per_hour {
            windows.push(Window {
                name: WindowName::Hour,
                key: format!("email:hour:{hour}"),
                ceiling,
                ends: hour_ends,
            });
        }
        if let Some(ceiling) = self.email_per_domain_hour {
            let domain = registrable_domain(request.recipient.domain());
            windows.push(Window {
                name: WindowName::DomainHour,
                key: format!("email:domain:{domain}:{hour}"),
                ceiling,
                ends: hour_ends,
            });
        }
        if let Some(ceiling) = self.email_per_month {
            let next = today.first_of_month().saturating_add(1.month());
            windows.push(Window {
                name: WindowName::Month,
                key: format!("email:month:{:04}-{:02}", today.year(), today.month()),
                ceiling,
                ends: start_of_day(next, zone),
            });
        }
        windows.extend(self.delay_windows(now));
    }

    /// Two neighbouring slots, each as long as the delay and open for one message: whoever takes
    /// this slot takes the next one too, so two messages are always more than one slot apart.
    fn delay_windows(&self, now: Timestamp) -> Vec<Window> {
        let length = i64::from(self.email_min_delay_seconds);
        if length == 0 {
            return Vec::new();
        }
        let slot = now.as_second().div_euclid(length);
        [slot, slot + 1]
            .map(|slot| Window {
                name: WindowName::Delay,
                key: format!("email:delay:{length}:{slot}"),
                ceiling: 1,
                ends: Timestamp::from_second((slot + 1) * length).ok(),
            })
            .into()
    }
}

/// `--limit`: at most this many in one run. 0 sends nothing; it never raises another limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunLimit(pub u32);

/// A `--limit` that is no whole number from 0 on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "limit `{given}` is not usable; expected a whole number from 0 (send nothing) to 4294967295"
)]
pub struct BadLimit {
    /// What was given.
    pub given: String,
}

impl BadLimit {
    /// Stable code.
    pub const CODE: &'static str = "limit.bad";
}

impl RunLimit {
    /// What is left of `allowance` under this limit.
    pub fn cap(self, allowance: u32) -> u32 {
        allowance.min(self.0)
    }
}

impl FromStr for RunLimit {
    type Err = BadLimit;

    fn from_str(text: &str) -> Result<Self, BadLimit> {
        // `u32` reads a leading `+`, which no other form of the limit has.
        text.parse()
            .ok()
            .filter(|_| !text.starts_with('+'))
            .map(Self)
            .ok_or_else(|| BadLimit {
                given: text.to_owned(),
            })
    }
}

impl TryFrom<i64> for RunLimit {
    type Error = BadLimit;

    fn try_from(number: i64) -> Result<Self, BadLimit> {
        u32::try_from(number).map(Self).map_err(|_| BadLimit {
            given: number.to_string(),
        })
    }
}

/// Counters by key: what is used. The plan of a dry-run counts in one of these, a store in its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<String, u32>);

impl Tally {
    /// A tally that starts from what is used already.
    pub fn from_used(used: impl IntoIterator<Item = (String, u32)>) -> Self {
        Self(used.into_iter().collect())
    }

    /// How many are used under `key`.
    pub fn used(&self, key: &str) -> u32 {
        self.0.get(key).copied().unwrap_or(0)
    }

    /// Takes one in every window, or none at all; names the first full window.
    pub fn reserve<'w>(&mut self, windows: &'w [Window]) -> Result<(), &'w Window> {
        if let Some(full) = windows
            .iter()
            .find(|window| self.used(&window.key) >= window.ceiling)
        {
            return Err(full);
        }
        for window in windows {
            *self.0.entry(window.key.clone()).or_default() += 1;
        }
        Ok(())
    }

    /// Gives one back in every window.
    pub fn release(&mut self, windows: &[Window]) {
        for window in windows {
            if let Some(used) = self.0.get_mut(&window.key) {
                *used = used.saturating_sub(1);
            }
        }
    }
}

impl fmt::Display for WindowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Day => "a day",
            Self::Hour => "an hour",
            Self::DomainHour => "an hour to one domain",
            Self::Month => "a month",
            Self::Campaign => "of one campaign",
            Self::Delay => "within the least delay",
            Self::RevivalDay => "revivals a day",
            Self::Run => "of this run",
        })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {} {}", self.ceiling, self.name)
    }
}

/// The business day of an instant.
pub fn business_day(now: Timestamp, zone: &TimeZone) -> Date {
    now.to_zoned(zone.clone()).date()
}

/// The domain that one organisation registered: `mail.example.co.uk` → `example.co.uk`.
///
/// International names count as their ASCII form; what has no known suffix counts as it is.
pub fn registrable_domain(domain: &str) -> String {
    let plain = domain.trim_end_matches('.');
    let ascii = idna::domain_to_ascii(plain).unwrap_or_else(|_| plain.to_lowercase());
    psl::domain_str(&ascii).unwrap_or(&ascii).to_owned()
}

fn start_of_day(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    day.to_zoned(zone.clone())
        .ok()
        .map(|zoned| zoned.timestamp())
}

fn hour_text(now: Timestamp) -> String {
    let mut text = rfc3339(now);
    text.truncate("2026-03-02T14".len());
    text
}

#[cfg(test)]
mod tests;
