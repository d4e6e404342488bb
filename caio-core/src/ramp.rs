//! The ramp: how many e-mails a day, and to which tier, until clean days have earned more.
//!
//! An enabled ramp leaves its limit and tier only on clean days that the ledger proves (PR-7). No
//! ledger counts as no clean day; a bad or missing date, or a length of zero, is the most
//! restrictive answer (PR-6). The Python system left the ramp by calendar, whether anything was
//! sent or not: [`RampMode::Calendar`] keeps that rule under its name, and live mode prints it.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::terms::{Tier, terms};

terms! {
    /// What ends a ramp.
    RampMode, "ramp mode", "clean_days, calendar" {
        /// Days without an error on which something was sent.
        CleanDays = "clean_days",
        /// The calendar, as in the Python system.
        Calendar = "calendar",
    }
}

/// How the ramp is set.
///
/// The default is what holds without any configuration: enabled, 5 e-mails a day, tier 1, and no
/// start date, so that it stays at day 1 until somebody sets one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RampConfig {
    /// Off lifts the ramp's limit and tier: a person's explicit graduation.
    pub enabled: bool,
    /// E-mails a day while the ramp is active.
    pub email_per_day: u32,
    /// The only tier written to while the ramp is active.
    pub tier: Tier,
    /// First day, `YYYY-MM-DD`, as it was configured; `""` when missing.
    pub start_date: String,
    /// Clean days (or calendar days) that end the ramp.
    pub days: u32,
    /// What ends it.
    pub mode: RampMode,
    /// Clean days older than this many days no longer count.
    pub lookback_days: u32,
}

impl Default for RampConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            email_per_day: 5,
            tier: Tier::One,
            start_date: String::new(),
            days: 3,
            mode: RampMode::CleanDays,
            lookback_days: 45,
        }
    }
}

/// Where the ramp stands today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RampStatus {
    /// As configured.
    pub enabled: bool,
    /// Limit and tier below apply.
    pub active: bool,
    /// What ends it.
    pub mode: RampMode,
    /// 0 before the start, then 1 to `days`; 0 when not enabled.
    pub day: u32,
    /// Length, in days.
    pub days: u32,
    /// Days that have counted so far.
    pub done: u32,
    /// Days still needed.
    pub remaining_days: u32,
    /// E-mails a day; only while active.
    pub email_limit: Option<u32>,
    /// The only tier; only while active.
    pub tier: Option<Tier>,
    /// Why the most restrictive answer was given.
    pub problem: Option<RampProblem>,
}

/// What is wrong with a ramp's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RampProblem {
    /// The start date is no date.
    #[error("ramp start date `{given}` is no date such as 2026-03-02; the ramp stays at day 1")]
    BadDate {
        /// What is configured.
        given: String,
    },
    /// There is no start date.
    #[error(
        "the ramp has no start date, so no day can count; the ramp stays at day 1: set ramp.start_date"
    )]
    NoDate,
    /// A length of zero days.
    #[error("the ramp is 0 days long; expected 1 or more; the ramp stays at day 1")]
    NoLength,
}

impl RampProblem {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadDate { .. } => "ramp.bad_date",
            Self::NoDate => "ramp.no_date",
            Self::NoLength => "ramp.no_length",
        }
    }
}

/// Where the ramp stands on `today`; `clean` is what the ledger proves, `None` when there is none.
///
/// ```
/// use caio_core::ramp::{RampConfig, ramp};
/// let config = RampConfig { start_date: "2026-02-17".into(), ..RampConfig::default() };
/// let months_later = ramp(&config, jiff::civil::date(2026, 11, 2), None);
/// assert_eq!(months_later.email_limit, Some(5));
/// ```
pub fn ramp(config: &RampConfig, today: Date, clean: Option<&CleanDays>) -> RampStatus {
    if !config.enabled {
        return RampStatus::off(config, 0, 0);
    }
    let start = match start_of(config) {
        Ok(start) => start,
        Err(problem) => {
            return RampStatus {
                problem: Some(problem),
                ..RampStatus::on(config, 1, 0)
            };
        }
    };
    if today < start {
        return RampStatus::on(config, 0, 0);
    }
    let done = match config.mode {
        RampMode::CleanDays => {
            clean.map_or(0, |clean| clean.count(start, today, config.lookback_days))
        }
        RampMode::Calendar => days_between(start, today),
    }
    .min(config.days);
    if done >= config.days {
        RampStatus::off(config, config.days, done)
    } else {
        RampStatus::on(config, done + 1, done)
    }
}

impl RampStatus {
    fn on(config: &RampConfig, day: u32, done: u32) -> Self {
        Self {
            enabled: true,
            active: true,
            mode: config.mode,
            day,
            days: config.days,
            done,
            remaining_days: config.days - done,
            email_limit: Some(config.email_per_day),
            tier: Some(config.tier),
            problem: None,
        }
    }

    fn off(config: &RampConfig, day: u32, done: u32) -> Self {
        Self {
            enabled: config.enabled,
            active: false,
            mode: config.mode,
            day,
            days: config.days,
            done,
            remaining_days: 0,
            email_limit: None,
            tier: None,
            problem: None,
        }
    }
}

/// One finished live run, as the ledger tells it. Dry and shadow runs are no evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveRun {
    /// Business day on which it ended.
    pub day: Date,
    /// Messages that providers accepted.
    pub sent: u32,
    /// Errors and unknown outcomes.
    pub errors: u32,
}

/// The days on which something was sent and nothing went wrong, all runs of the day together.
///
/// A day with any error is not clean, however many of its runs were (L-6); a run that sent nothing
/// makes no day clean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CleanDays(BTreeMap<Date, (u64, u64)>);

impl CleanDays {
    /// Gathers the days of `runs`.
    pub fn from_runs(runs: impl IntoIterator<Item = LiveRun>) -> Self {
        let mut days = BTreeMap::<Date, (u64, u64)>::new();
        for run in runs {
            let (sent, errors) = days.entry(run.day).or_default();
            *sent += u64::from(run.sent);
            *errors += u64::from(run.errors);
        }
        Self(days)
    }

    /// The clean days, oldest first.
    pub fn days(&self) -> impl Iterator<Item = Date> {
        self.0
            .iter()
            .filter(|(_, (sent, errors))| *sent > 0 && *errors == 0)
            .map(|(day, _)| *day)
    }

    /// Clean days from `start` to yesterday, at most `lookback_days` back. Today may still go wrong.
    fn count(&self, start: Date, today: Date, lookback_days: u32) -> u32 {
        let days = self.days().filter(|day| {
            *day >= start && *day < today && days_between(*day, today) <= lookback_days
        });
        u32::try_from(days.count()).unwrap_or(u32::MAX)
    }
}

fn start_of(config: &RampConfig) -> Result<Date, RampProblem> {
    let given = config.start_date.trim();
    if given.is_empty() {
        return Err(RampProblem::NoDate);
    }
    if config.days == 0 {
        return Err(RampProblem::NoLength);
    }
    parse_date(given).ok_or_else(|| RampProblem::BadDate {
        given: given.to_owned(),
    })
}

/// A date in the one form `YYYY-MM-DD`.
pub(crate) fn parse_date(text: &str) -> Option<Date> {
    Date::strptime("%Y-%m-%d", text)
        .ok()
        .filter(|date| date.year() > 0 && date.to_string() == text)
}

/// Days from `start` to `end`; 0 where `end` is earlier.
pub(crate) fn days_between(start: Date, end: Date) -> u32 {
    start
        .until(end)
        .ok()
        .and_then(|span| u32::try_from(span.get_days()).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn production() -> RampConfig {
        RampConfig {
            start_date: "2026-02-17".into(),
            ..RampConfig::default()
        }
    }

    fn run(day: Date, sent: u32, errors: u32) -> LiveRun {
        LiveRun { day, sent, errors }
    }

    #[test]
    fn months_after_its_start_a_ramp_without_clean_days_still_holds() {
        for clean in [None, Some(CleanDays::default())] {
            let status = ramp(&production(), date(2026, 11, 23), clean.as_ref());
            assert!(status.active);
            assert_eq!(status.email_limit, Some(5));
            assert_eq!(status.tier, Some(Tier::One));
            assert_eq!((status.day, status.remaining_days), (1, 3));
        }
    }

    #[test]
    fn no_configuration_is_day_1() {
        let status = ramp(&RampConfig::default(), date(2026, 11, 23), None);
        assert_eq!((status.active, status.day), (true, 1));
        assert_eq!(
            (status.email_limit, status.tier),
            (Some(5), Some(Tier::One))
        );
    }

    #[test]
    fn a_bad_date_or_length_is_the_most_restrictive_answer_in_both_modes() {
        let clean = CleanDays::from_runs((1..20).map(|day| run(date(2026, 3, day), 5, 0)));
        for mode in RampMode::ALL {
            for (start, days, code) in [
                ("2026/02/17", 3, "ramp.bad_date"),
                ("2026-02-30", 3, "ramp.bad_date"),
                ("2026-2-17", 3, "ramp.bad_date"),
                ("soon", 3, "ramp.bad_date"),
                ("", 3, "ramp.no_date"),
                ("2026-02-17", 0, "ramp.no_length"),
            ] {
                let config = RampConfig {
                    start_date: start.into(),
                    days,
                    mode: *mode,
                    ..RampConfig::default()
                };
                let status = ramp(&config, date(2026, 11, 23), Some(&clean));
                assert_eq!(
                    (status.active, status.email_limit),
                    (true, Some(5)),
                    "{start}"
                );
                assert_eq!(status.problem.unwrap().code(), code);
            }
        }
    }

    #[test]
    fn before_its_start_the_ramp_is_active_at_day_0_and_reports_its_length() {
        let status = ramp(&production(), date(2026, 2, 16), None);
        assert_eq!(
            (status.active, status.day, status.remaining_days),
            (true, 0, 3)
        );
    }

    #[test]
    fn three_clean_days_end_it_on_the_day_after_the_third() {
        let clean = CleanDays::from_runs([
            run(date(2026, 2, 18), 2, 0),
            run(date(2026, 2, 20), 1, 0),
            run(date(2026, 3, 2), 4, 0),
        ]);
        let on = |today| ramp(&production(), today, Some(&clean));
        assert_eq!(on(date(2026, 2, 18)).day, 1);
        assert_eq!(on(date(2026, 2, 19)).day, 2);
        assert_eq!(on(date(2026, 3, 2)).day, 3);
        let done = on(date(2026, 3, 3));
        assert_eq!((done.active, done.day, done.email_limit), (false, 3, None));
    }

    #[test]
    fn a_day_with_an_error_or_without_a_send_is_not_clean() {
        let clean = CleanDays::from_runs([
            run(date(2026, 2, 18), 5, 0),
            run(date(2026, 2, 18), 0, 1),
            run(date(2026, 2, 19), 0, 0),
            run(date(2026, 2, 20), 1, 0),
            run(date(2026, 2, 20), 0, 0),
            run(date(2026, 2, 16), 1, 0),
        ]);
        assert_eq!(
            clean.days().collect::<Vec<_>>(),
            [date(2026, 2, 16), date(2026, 2, 20)]
        );
        // The 16th lies before the start.
        assert_eq!(ramp(&production(), date(2026, 2, 21), Some(&clean)).done, 1);
    }

    #[test]
    fn the_calendar_is_a_named_mode() {
        let config = RampConfig {
            mode: RampMode::Calendar,
            ..production()
        };
        let on = |today| ramp(&config, today, None);
        assert_eq!(
            (
                on(date(2026, 2, 17)).day,
                on(date(2026, 2, 17)).remaining_days
            ),
            (1, 3)
        );
        assert_eq!(
            (
                on(date(2026, 2, 19)).day,
                on(date(2026, 2, 19)).remaining_days
            ),
            (3, 1)
        );
        assert!(!on(date(2026, 2, 20)).active);
        assert_eq!(on(date(2026, 2, 20)).mode, RampMode::Calendar);
    }

    #[test]
    fn old_clean_days_fall_out_of_sight() {
        let clean = CleanDays::from_runs((18..21).map(|day| run(date(2026, 2, day), 1, 0)));
        assert!(!ramp(&production(), date(2026, 3, 1), Some(&clean)).active);
        assert!(ramp(&production(), date(2026, 6, 1), Some(&clean)).active);
    }

    #[test]
    fn the_calendar_mode_decides_as_the_python_system_did_where_its_dates_are_good() {
        let file = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/vectors/ramp_status.json"
        ));
        let vectors: serde_json::Value = serde_json::from_str(file).unwrap();
        let cases = vectors["cases"].as_array().unwrap();
        let mut checked = 0;
        for case in cases {
            let (given, expected) = (&case["input"]["operator_config"]["ramp"], &case["expected"]);
            let (Some(start), Some(days)) =
                (given["start_date"].as_str(), given["ramp_days"].as_u64())
            else {
                continue;
            };
            let enabled = given["enabled"] == true && parse_date(start).is_some() && days > 0;
            if !enabled || expected.get("error").is_some() {
                continue;
            }
            let config = RampConfig {
                start_date: start.into(),
                days: u32::try_from(days).unwrap(),
                mode: RampMode::Calendar,
                ..RampConfig::default()
            };
            let today = parse_date(case["input"]["today"].as_str().unwrap()).unwrap();
            let status = ramp(&config, today, None);
            assert_eq!(expected["active"], status.active, "{}", case["name"]);
            assert_eq!(
                expected["remaining_days"], status.remaining_days,
                "{}",
                case["name"]
            );
            if status.active {
                assert_eq!(expected["day"], status.day, "{}", case["name"]);
            }
            checked += 1;
        }
        println!(
            "ramp_status.json: {checked} / {} (the rest is corrected here)",
            cases.len()
        );
        assert!(checked > 100);
    }

    proptest! {
        #[test]
        fn more_errors_never_lift_the_ramp(
            runs in prop::collection::vec((0_i32..60, 0_u32..3, 0_u32..2), 0..30),
            extra in (0_i32..60, 0_u32..3),
            today in 0_i32..90,
        ) {
            let start = date(2026, 2, 17);
            let at = |offset: i32| start.checked_add(jiff::Span::new().days(offset)).unwrap();
            let mut list: Vec<_> = runs.iter().map(|(d, s, e)| run(at(*d), *s, *e)).collect();
            let before = ramp(&production(), at(today), Some(&CleanDays::from_runs(list.clone())));
            list.push(run(at(extra.0), extra.1, 1));
            let after = ramp(&production(), at(today), Some(&CleanDays::from_runs(list)));
            prop_assert!(after.done <= before.done);
            prop_assert!(!before.active || after.active);
        }

        #[test]
        fn an_active_ramp_always_carries_its_limit_and_tier(
            start in "(2026-0[1-9]-[0-3][0-9]|.{0,10})", days in 0_u32..6, offset in 0_i32..400,
        ) {
            let config = RampConfig { start_date: start, days, ..RampConfig::default() };
            let today = date(2026, 1, 1).checked_add(jiff::Span::new().days(offset)).unwrap();
            let status = ramp(&config, today, None);
            prop_assert!(status.active);
            prop_assert_eq!((status.email_limit, status.tier), (Some(5), Some(Tier::One)));
            prop_assert!(status.day <= status.days.max(1));
        }
    }
}
