//! Daily limits of today: the LinkedIn warm-up by weeks, e-mail under the ramp, revival.

use jiff::civil::Date;

use crate::ramp::{RampStatus, days_between, parse_date};

/// How the daily limits are set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarmupConfig {
    /// E-mails a day.
    pub email_per_day: u32,
    /// First day of the LinkedIn warm-up, `YYYY-MM-DD`, as configured; `""` when missing.
    pub linkedin_start: String,
    /// LinkedIn contacts a day during the warm-up.
    pub linkedin_warmup_per_day: u32,
    /// LinkedIn contacts a day after it.
    pub linkedin_full_per_day: u32,
    /// Length of the warm-up, weeks.
    pub linkedin_weeks: u32,
    /// Revivals a day.
    pub revival_per_day: u32,
}

impl Default for WarmupConfig {
    fn default() -> Self {
        Self {
            email_per_day: 25,
            linkedin_start: String::new(),
            linkedin_warmup_per_day: 5,
            linkedin_full_per_day: 20,
            linkedin_weeks: 4,
            revival_per_day: 5,
        }
    }
}

/// Limits of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// E-mails.
    pub email_per_day: u32,
    /// LinkedIn contacts.
    pub linkedin_per_day: u32,
    /// Revivals, a part of the e-mails.
    pub revival_per_day: u32,
    /// First day of the LinkedIn warm-up as configured.
    pub linkedin_start: String,
    /// Full weeks since then.
    pub linkedin_week: u32,
    /// The warm-up still holds.
    pub linkedin_warming_up: bool,
}

/// The limits of `today`.
///
/// The ramp can only lower the e-mail limit (in the Python system its override could raise it), and
/// the warm-up only the LinkedIn one. A missing or bad start date means: still warming up.
pub fn schedule(config: &WarmupConfig, ramp: &RampStatus, today: Date) -> Schedule {
    let week = parse_date(&config.linkedin_start).map(|start| days_between(start, today) / 7);
    let warming_up = week.is_none_or(|week| week < config.linkedin_weeks);
    let email_per_day = ramp.email_limit.map_or(config.email_per_day, |limit| {
        limit.min(config.email_per_day)
    });
    Schedule {
        email_per_day,
        linkedin_per_day: if warming_up {
            config
                .linkedin_warmup_per_day
                .min(config.linkedin_full_per_day)
        } else {
            config.linkedin_full_per_day
        },
        revival_per_day: config.revival_per_day.min(email_per_day),
        linkedin_start: config.linkedin_start.clone(),
        linkedin_week: week.unwrap_or(0),
        linkedin_warming_up: warming_up,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::ramp::{RampConfig, ramp};

    fn config() -> WarmupConfig {
        WarmupConfig {
            linkedin_start: "2026-02-16".into(),
            ..WarmupConfig::default()
        }
    }

    fn no_ramp() -> RampStatus {
        let config = RampConfig {
            enabled: false,
            ..RampConfig::default()
        };
        ramp(&config, date(2026, 2, 16), None)
    }

    #[test]
    fn full_linkedin_volume_begins_after_four_weeks() {
        let on = |today| schedule(&config(), &no_ramp(), today).linkedin_per_day;
        assert_eq!(on(date(2026, 2, 1)), 5);
        assert_eq!(on(date(2026, 3, 15)), 5);
        assert_eq!(on(date(2026, 3, 16)), 20);
    }

    #[test]
    fn a_bad_or_missing_date_means_still_warming_up() {
        for start in ["", "2026/02/16", "x"] {
            let config = WarmupConfig {
                linkedin_start: start.into(),
                ..config()
            };
            let day = schedule(&config, &no_ramp(), date(2027, 1, 1));
            assert!(day.linkedin_warming_up);
            assert_eq!((day.linkedin_per_day, day.linkedin_week), (5, 0));
        }
    }

    #[test]
    fn the_linkedin_warm_up_is_the_python_one_where_its_configuration_is_good() {
        let file = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/vectors/warmup_schedule.json"
        ));
        let vectors: serde_json::Value = serde_json::from_str(file).unwrap();
        let cases = vectors["cases"].as_array().unwrap();
        let mut checked = 0;
        for case in cases {
            let given = &case["input"]["operator_config"]["outbound"];
            let number = |key: &str| given[key].as_u64().and_then(|n| u32::try_from(n).ok());
            let (Some(start), Some(warm), Some(full), Some(weeks)) = (
                given["linkedin_warmup_start"].as_str(),
                number("linkedin_warmup_daily_limit"),
                number("linkedin_full_daily_limit"),
                number("linkedin_warmup_weeks"),
            ) else {
                continue;
            };
            // `2026-2-7` is no date here, so that one date has one form.
            let other_form = start.len() < 10 && case["expected"]["linkedin_warmup_week"] != 0;
            if warm > full || other_form || case["expected"].get("error").is_some() {
                continue;
            }
            let config = WarmupConfig {
                linkedin_start: start.into(),
                linkedin_warmup_per_day: warm,
                linkedin_full_per_day: full,
                linkedin_weeks: weeks,
                ..WarmupConfig::default()
            };
            let today = parse_date(case["input"]["today"].as_str().unwrap()).unwrap();
            let day = schedule(&config, &no_ramp(), today);
            let expected = &case["expected"];
            assert_eq!(
                expected["linkedin_daily_limit"], day.linkedin_per_day,
                "{}",
                case["name"]
            );
            assert_eq!(
                expected["linkedin_warmup_week"], day.linkedin_week,
                "{}",
                case["name"]
            );
            checked += 1;
        }
        println!(
            "warmup_schedule.json: {checked} / {} (the rest is corrected here)",
            cases.len()
        );
        assert!(checked > 100);
    }

    proptest! {
        #[test]
        fn ramp_and_warm_up_only_lower(
            email in 0_u32..100, over in 0_u32..200, warm in 0_u32..50, full in 0_u32..50, day in 0_i32..300,
        ) {
            let today = date(2026, 1, 1).checked_add(jiff::Span::new().days(day)).unwrap();
            let given = WarmupConfig {
                email_per_day: email, linkedin_warmup_per_day: warm, linkedin_full_per_day: full, ..config()
            };
            let ramped = ramp(&RampConfig { email_per_day: over, ..RampConfig::default() }, today, None);
            let limits = schedule(&given, &ramped, today);
            prop_assert!(limits.email_per_day <= email && limits.email_per_day <= over);
            prop_assert!(limits.linkedin_per_day <= full);
            prop_assert!(limits.revival_per_day <= limits.email_per_day);
        }
    }
}
