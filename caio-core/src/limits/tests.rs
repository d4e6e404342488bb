use proptest::prelude::*;

use super::*;

fn key(address: &str) -> EmailKey {
    EmailKey::parse(address).unwrap()
}

fn request(recipient: &EmailKey) -> SendRequest<'_> {
    SendRequest {
        medium: Medium::Email,
        motion: Motion::Outbound,
        recipient,
        campaign: "intro",
        run: None,
    }
}

fn names(windows: &[Window]) -> Vec<WindowName> {
    windows.iter().map(|window| window.name).collect()
}

#[test]
fn every_declared_window_is_there_with_its_key() {
    let now = "2026-03-31T22:30:00Z".parse().unwrap();
    let person = key("kim@mail.example.co.uk");
    let zone = TimeZone::fixed(jiff::tz::offset(2));
    let windows = LimitPolicy::default().windows(&request(&person), now, &zone);
    let shown: Vec<_> = windows
        .iter()
        .map(|w| (w.key.as_str(), w.ceiling))
        .collect();
    assert_eq!(
        shown,
        [
            ("email:day:2026-04-01", 25),
            ("email:hour:2026-03-31T22", 15),
            ("email:domain:example.co.uk:2026-03-31T22", 3),
            ("email:month:2026-04", 2500),
            ("email:delay:45:39444360", 1),
            ("email:delay:45:39444361", 1),
            ("campaign:intro", 150),
        ]
    );
    let ends: Timestamp = "2026-04-01T22:00:00Z".parse().unwrap();
    assert_eq!(windows[0].ends, Some(ends));
    assert!(windows.iter().all(|w| w.ends.is_none_or(|ends| ends > now)));
}

#[test]
fn linkedin_has_its_own_day_and_a_revival_counts_as_both() {
    let now = "2026-03-02T14:00:00Z".parse().unwrap();
    let person = key("kim@example.com");
    let linkedin = SendRequest {
        medium: Medium::LinkedIn,
        campaign: "",
        run: Some(("run-1", RunLimit(0))),
        ..request(&person)
    };
    let windows = LimitPolicy::default().windows(&linkedin, now, &TimeZone::UTC);
    assert_eq!(names(&windows), [WindowName::Day, WindowName::Run]);
    assert_eq!(
        Tally::default().reserve(&windows).unwrap_err().name,
        WindowName::Run
    );

    let revival = SendRequest {
        motion: Motion::Revival,
        ..request(&person)
    };
    let windows = LimitPolicy::default().windows(&revival, now, &TimeZone::UTC);
    assert!(names(&windows).contains(&WindowName::Day));
    assert!(names(&windows).contains(&WindowName::RevivalDay));
}

#[test]
fn scenario_22_a_limit_can_only_lower() {
    assert_eq!("0".parse(), Ok(RunLimit(0)));
    assert_eq!(RunLimit(0).cap(5), 0);
    assert_eq!(RunLimit(500).cap(5), 5);
    for bad in ["-1", "+3", "", "1.5", "all", "4294967296"] {
        assert!(bad.parse::<RunLimit>().is_err(), "{bad}");
    }
    assert!(RunLimit::try_from(-1_i64).is_err());
}

#[test]
fn scenario_17_five_a_day_then_a_new_day() {
    let policy = LimitPolicy {
        email_per_day: 5,
        email_per_domain_hour: None,
        email_min_delay_seconds: 0,
        ..LimitPolicy::default()
    };
    let person = key("kim@example.com");
    let mut tally = Tally::default();
    let mut send = |at: &str| {
        let windows = policy.windows(&request(&person), at.parse().unwrap(), &TimeZone::UTC);
        tally.reserve(&windows).is_ok()
    };
    for _ in 0..5 {
        assert!(send("2026-03-02T14:00:00Z"));
    }
    assert!(!send("2026-03-02T23:59:59Z"));
    assert!(send("2026-03-03T00:00:00Z"));
}

#[test]
fn two_policies_hold_together() {
    let strict = LimitPolicy {
        email_per_day: 3,
        email_per_hour: None,
        email_per_month: Some(9000),
        email_min_delay_seconds: 90,
        ..LimitPolicy::default()
    };
    let usual = LimitPolicy::default();
    let both = strict.tightest(&usual);
    assert_eq!(both, usual.tightest(&strict));
    assert_eq!((both.email_per_day, both.email_per_hour), (3, Some(15)));
    assert_eq!(
        (both.email_per_month, both.email_min_delay_seconds),
        (Some(2500), 90)
    );
}

#[test]
fn one_organisation_is_one_domain() {
    for (domain, expected) in [
        ("mail.example.com", "example.com"),
        ("example.co.uk", "example.co.uk"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("EXAMPLE.com.", "example.com"),
        ("büro.example.org", "example.org"),
        ("bücher.de", "xn--bcher-kva.de"),
        ("localhost", "localhost"),
        ("", ""),
    ] {
        assert_eq!(registrable_domain(domain), expected, "{domain}");
    }
}

proptest! {
    #[test]
    fn no_sequence_of_reserve_and_release_goes_over_a_limit(
        ops in prop::collection::vec((0_i64..200_000, 0_usize..4, any::<bool>(), any::<bool>()), 1..200),
        day in 0_u32..8, hour in 0_u32..6, domain in 0_u32..4, run in 0_u32..20,
    ) {
        let policy = LimitPolicy {
            email_per_day: day,
            email_per_hour: Some(hour),
            email_per_domain_hour: Some(domain),
            email_min_delay_seconds: 0,
            ..LimitPolicy::default()
        };
        let people = ["a@x.example.com", "b@example.com", "c@example.org", "d@example.net"].map(key);
        let mut tally = Tally::default();
        let mut held: Vec<Vec<Window>> = Vec::new();
        for (second, person, linkedin, release) in ops {
            if release && !held.is_empty() {
                let windows = held.swap_remove(person % held.len());
                tally.release(&windows);
                continue;
            }
            let now = Timestamp::from_second(1_770_000_000 + second).unwrap();
            let asked = SendRequest {
                medium: if linkedin { Medium::LinkedIn } else { Medium::Email },
                run: Some(("run-1", RunLimit(run))),
                ..request(&people[person])
            };
            let windows = policy.windows(&asked, now, &TimeZone::UTC);
            if tally.reserve(&windows).is_ok() { held.push(windows); }
            // What is counted is exactly what is held, and never above a ceiling.
            for window in held.iter().flatten() {
                let holders = held.iter().flatten().filter(|w| w.key == window.key).count();
                prop_assert_eq!(tally.used(&window.key) as usize, holders);
                prop_assert!(tally.used(&window.key) <= window.ceiling);
            }
        }
    }

    #[test]
    fn two_messages_are_never_closer_than_the_delay(
        gaps in prop::collection::vec(0_i64..120, 1..60), delay in 1_u32..90,
    ) {
        let policy = LimitPolicy {
            email_min_delay_seconds: delay, email_per_hour: None, email_per_domain_hour: None,
            email_per_day: u32::MAX, ..LimitPolicy::default()
        };
        let person = key("kim@example.com");
        let mut tally = Tally::default();
        let (mut at, mut last) = (1_770_000_000_i64, None);
        for gap in gaps {
            at += gap;
            let now = Timestamp::from_second(at).unwrap();
            if tally.reserve(&policy.windows(&request(&person), now, &TimeZone::UTC)).is_ok() {
                if let Some(last) = last { prop_assert!(at - last >= i64::from(delay)); }
                last = Some(at);
            }
        }
    }

    #[test]
    fn the_schedule_only_lowers(email in 0_u32..60, linkedin in 0_u32..60, revival in 0_u32..60) {
        let schedule = Schedule {
            email_per_day: email, linkedin_per_day: linkedin, revival_per_day: revival,
            linkedin_start: String::new(), linkedin_week: 0, linkedin_warming_up: true,
        };
        let before = LimitPolicy::default();
        let after = before.clone().lowered_by(&schedule);
        prop_assert!(after.email_per_day <= before.email_per_day && after.email_per_day <= email);
        prop_assert!(after.linkedin_per_day <= before.linkedin_per_day && after.linkedin_per_day <= linkedin);
    }
}
