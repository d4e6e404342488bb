use jiff::civil::date;
use proptest::prelude::*;

use super::*;

const NOW: &str = "2026-03-02T10:00:00.000000+00:00";

fn plan() -> Plan {
    Plan::parse(&json!({
        "steps": [
            {"step": 1, "day": 1, "channel": "email", "action": "intro"},
            {"step": 2, "day": 2, "channel": "linkedin", "action": "connect", "condition": "has_linkedin_url"},
            {"step": 3, "day": 5, "channel": "email", "action": "value_followup", "condition": "not_replied"},
            {"step": 4, "day": 7, "channel": "linkedin", "action": "message", "condition": "linkedin_connected"},
        ],
        "exit_on": ["replied", "unsubscribed"], "pause_on": ["engaged_not_replied"],
    })).unwrap()
}

fn lead() -> Record {
    enrolled(
        "kim@example.com",
        "default_21day",
        "tier_1",
        "",
        &json!({}),
        NOW,
    )
}

fn stage(status: &str) -> Facts {
    let mut facts = Facts {
        stage: Some(status.to_owned()),
        ..Facts::default()
    };
    facts.note(status);
    facts
}

fn due(record: &Record, facts: &Facts, day: i8) -> i64 {
    match next(record, &plan(), facts, date(2026, 3, day)).unwrap() {
        Next::Due(step, _) => step.step,
        Next::Nothing => 0,
        Next::Complete => -1,
    }
}

#[test]
fn a_question_changes_nothing_and_passes_over_what_is_not_met() {
    let none = Facts::default();
    assert_eq!(due(&lead(), &none, 1), 0);
    assert_eq!(due(&lead(), &none, 2), 1);
    let first = done(&lead(), &plan(), &none, 1, "dispatched", None, NOW)
        .unwrap()
        .unwrap();
    assert_eq!(
        (&first["current_step"], &first["next_step_due"]),
        (&json!(2), &json!("2026-03-03"))
    );
    assert_eq!((due(&first, &none, 5), due(&first, &none, 6)), (0, 3));
    let mut answered = none.clone();
    answered.replies = 1;
    assert_eq!(
        due(&first, &answered, 8),
        -1,
        "neither profile, nor silence, nor connection"
    );
}

#[test]
fn only_the_step_whose_turn_it_is_counts_and_once() {
    let none = Facts::default();
    let first = done(&lead(), &plan(), &none, 1, "dispatched", None, NOW)
        .unwrap()
        .unwrap();
    assert_eq!(
        done(&first, &plan(), &none, 1, "dispatched", None, NOW),
        Ok(None)
    );
    let wrong = done(&first, &plan(), &none, 4, "dispatched", None, NOW).unwrap_err();
    assert_eq!(wrong.code(), "cadence.not_next");
    let third = done(&first, &plan(), &none, 3, "dispatched", None, NOW)
        .unwrap()
        .unwrap();
    let steps: Vec<_> = completed(&third)
        .iter()
        .map(|it| (it["step"].as_i64(), it["action"].as_str()))
        .collect();
    assert_eq!(
        steps,
        [
            (Some(1), Some("dispatched")),
            (Some(2), Some("skipped")),
            (Some(3), Some("dispatched"))
        ]
    );
    let (end, what) = synced(&third, &plan(), &none, "2026-03-09T00:00:00+00:00")
        .unwrap()
        .unwrap();
    assert_eq!(
        (what, &end["exit_reason"]),
        (Synced::Completed, &json!("all_steps_done"))
    );
}

#[test]
fn a_late_lead_is_not_written_to_on_two_days_in_a_row() {
    let none = Facts::default();
    let mut late = lead();
    late.insert(
        "linkedin_url".to_owned(),
        "https://linkedin.example/in/kim".into(),
    );
    let at = "2026-03-20T10:00:00+00:00";
    let first = done(&late, &plan(), &none, 1, "dispatched", None, at)
        .unwrap()
        .unwrap();
    assert_eq!(first["next_step_due"], "2026-03-21", "planned a day apart");
    let second = done(&first, &plan(), &none, 2, "dispatched", None, at)
        .unwrap()
        .unwrap();
    assert_eq!(second["next_step_due"], "2026-03-22");
}

#[test]
fn signals_end_pause_and_resume() {
    let (ended, what) = synced(&lead(), &plan(), &stage("unsubscribed"), NOW)
        .unwrap()
        .unwrap();
    assert_eq!(
        (what, &ended["status"]),
        (Synced::Exited("unsubscribed".into()), &json!("exited"))
    );
    let engaged = stage("engaged_not_replied");
    let (waiting, what) = synced(&lead(), &plan(), &engaged, NOW).unwrap().unwrap();
    assert_eq!(what, Synced::Paused);
    let (again, what) = synced(&waiting, &plan(), &stage("stalled"), NOW)
        .unwrap()
        .unwrap();
    assert_eq!(
        (what, &again["status"]),
        (Synced::Resumed, &json!("active"))
    );
    let by_hand = resumed(&waiting, &engaged, NOW).unwrap();
    assert_eq!(synced(&by_hand, &plan(), &engaged, NOW), Ok(None));
    let held = paused(&lead(), "holiday", NOW).unwrap();
    assert_eq!(synced(&held, &plan(), &stage("stalled"), NOW), Ok(None));
    assert!(exited(&ended, "again").is_none());
}

#[test]
fn an_end_of_contact_ends_it_whatever_the_plan_says() {
    assert_eq!(due(&lead(), &stage("disqualified"), 9), 0);
    let (_, what) = synced(&lead(), &plan(), &stage("bounced"), NOW)
        .unwrap()
        .unwrap();
    assert_eq!(what, Synced::Exited("bounced".into()));
}

#[test]
fn a_record_that_cannot_be_read_is_reported() {
    let mut broken = lead();
    broken.insert("next_step_due".to_owned(), "soon".into());
    let fault = next(&broken, &plan(), &Facts::default(), date(2026, 3, 2)).unwrap_err();
    assert_eq!(fault.code(), "cadence.bad_record");
    assert!(fault.to_string().contains("next_step_due"));
}

#[test]
fn a_step_that_is_passed_over_says_why_and_makes_no_distance() {
    let none = Facts::default();
    let first = done(&lead(), &plan(), &none, 1, "dispatched", None, NOW)
        .unwrap()
        .unwrap();
    let second = passed(&first, &plan(), &none, 3, "rejected: tone", NOW)
        .unwrap()
        .unwrap();
    let last = completed(&second).last().unwrap();
    assert_eq!(
        (&last["step"], &last["reason"]),
        (&json!(3), &json!("rejected: tone"))
    );
    assert_eq!(second["next_step_due"], "2026-03-08", "day 7, as planned");
    let wrong = passed(&second, &plan(), &none, 3, "again", NOW).unwrap_err();
    assert_eq!(wrong.code(), "cadence.not_next");
    let held = paused(&second, "holiday", NOW).unwrap();
    assert_eq!(passed(&held, &plan(), &none, 4, "late", NOW), Ok(None));
}

#[test]
fn the_day_on_which_something_is_to_be_done_skips_what_is_not_met() {
    let none = Facts::default();
    let first = done(&lead(), &plan(), &none, 1, "dispatched", None, NOW)
        .unwrap()
        .unwrap();
    assert_eq!(first["next_step_due"], "2026-03-03", "no profile is known");
    assert_eq!(due_day(&first, &plan(), &none), Ok(Some(date(2026, 3, 6))));
    let mut connected = none.clone();
    connected.connected = true;
    let third = done(
        &first,
        &plan(),
        &none,
        3,
        "dispatched",
        None,
        "2026-03-06T10:00:00",
    )
    .unwrap()
    .unwrap();
    assert_eq!(
        due_day(&third, &plan(), &connected),
        Ok(Some(date(2026, 3, 8)))
    );
    assert_eq!(
        due_day(&exited(&third, "x").unwrap(), &plan(), &none),
        Ok(None)
    );
}

#[test]
fn what_stands_against_a_step_is_said() {
    let none = Facts::default();
    let against = |record: &Record, facts: &Facts, step| {
        against(record, &plan(), facts, step).unwrap_or_default()
    };
    assert_eq!(against(&lead(), &none, 1), "");
    assert!(against(&lead(), &none, 3).contains("step 1 is next"));
    assert!(against(&lead(), &stage("unsubscribed"), 1).contains("unsubscribed"));
    let engaged = stage("engaged_not_replied");
    assert!(against(&lead(), &engaged, 1).contains("waits"));
    let held = paused(&lead(), "holiday", NOW).unwrap();
    assert!(against(&held, &none, 1).contains("paused:holiday"));
    assert_eq!(
        against(&resumed(&held, &engaged, NOW).unwrap(), &engaged, 1),
        ""
    );
}

proptest! {
    /// Days, signals and touches in any order: no step twice, none after an end, and never two
    /// touches closer than the plan or two days.
    #[test]
    fn whatever_comes_in_whatever_order(moves in prop::collection::vec((0_u8..9, 0_i64..4), 0..60)) {
        let plan = Plan::from(&super::super::DEFAULT_21DAY);
        let mut record = lead();
        record.insert("linkedin_url".to_owned(), "https://linkedin.example/in/kim".into());
        let mut facts = Facts::default();
        let mut today = date(2026, 3, 2);
        let mut ended = false;
        let mut touches: Vec<(i64, Date)> = Vec::new();
        for (what, days) in moves {
            today = today.checked_add(Span::new().days(days)).unwrap();
            let now = format!("{today}T10:00:00.000000+00:00");
            let signal = match what {
                0 => "opened",
                1 => "engaged_not_replied",
                2 => "linkedin_connected",
                3 => "replied",
                4 => "unsubscribed",
                _ => "",
            };
            if signal == "linkedin_connected" {
                facts.connected = true;
            }
            if !signal.is_empty() {
                facts.note(signal);
                facts.stage = Some(signal.to_owned());
            }
            ended |= matches!(signal, "replied" | "unsubscribed");
            match what {
                5 => record = synced(&record, &plan, &facts, &now).unwrap().map_or(record, |it| it.0),
                6 => record = resumed(&record, &facts, &now).unwrap_or(record),
                7 | 8 => {
                    let asked = next(&record, &plan, &facts, today).unwrap();
                    prop_assert_eq!(&asked, &next(&record, &plan, &facts, today).unwrap());
                    let Next::Due(step, due) = asked else { continue };
                    prop_assert!(due <= today);
                    prop_assert!(due_day(&record, &plan, &facts).unwrap().unwrap() <= today);
                    if against(&record, &plan, &facts, step.step).is_some() {
                        continue;
                    }
                    prop_assert!(!ended, "nothing is due after an end");
                    if let Some((last, day)) = touches.last() {
                        let gap = (step.day - plan.step(*last).unwrap().day).min(LEAST_GAP_DAYS);
                        prop_assert!(step.step > *last);
                        prop_assert!(today >= day.checked_add(Span::new().days(gap)).unwrap());
                    }
                    touches.push((step.step, today));
                    record = done(&record, &plan, &facts, step.step, "dispatched", None, &now)
                        .unwrap()
                        .unwrap();
                }
                _ => {}
            }
        }
    }
}
