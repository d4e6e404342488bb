//! The follow-up over simulated days: drafts, approvals, batches and the operator, with channels that
//! record what they are given.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use caio_core::Clock;
use caio_core::batch::BatchStatus;
use caio_core::terms::{Motion, Step};
use caio_dispatch::ledger::{self, Later, LedgerEntry};
use caio_dispatch::reindex::Reindex;
use caio_dispatch::{cadence, records};
use caio_state::{StateStoreExt, StoreError, Write};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::days::{Days, lead, one_world, steps, writer};
use crate::wrapped::{Between, Wrapped};
use crate::{person, worlds_with_our_time};

#[tokio::test]
async fn over_21_days_each_step_goes_once_to_whom_it_is_for() {
    for world in worlds_with_our_time(5) {
        let mut days = Days::new(world);
        days.begin(4).await;
        while days.day < 26 {
            days.next_day();
            match days.day {
                3 => {
                    let connected =
                        json!({"status": "linkedin_connected", "linkedin_status": "connected"});
                    days.signal(&person(1), connected).await;
                }
                8 => {
                    let replied = json!({"status": "replied", "reply_count": 1});
                    days.signal(&person(2), replied).await;
                }
                9 => {
                    // An image that is loaded later changes nothing (scenario 11).
                    let opened = json!({
                        "status": "opened", "reply_count": 1,
                        "status_history": [{"from": "unknown", "to": "replied"}, {"from": "replied", "to": "opened"}],
                    });
                    days.signal(&person(2), opened).await;
                }
                _ => {}
            }
            if days.day == 6 {
                days.cadences().pause(&person(3), "holiday").await.unwrap();
            }
            if days.day == 12 {
                days.cadences().resume(&person(3)).await.unwrap();
            }
            days.morning().await;
        }
        assert_eq!(
            days.of(0),
            [
                "email 1 1",
                "linkedin 2 2",
                "email 3 5",
                "email 5 10",
                "email 7 17",
                "email 8 21"
            ]
        );
        assert_eq!(
            days.of(1),
            [
                "email 1 1",
                "linkedin 2 2",
                "email 3 5",
                "linkedin 4 7",
                "email 5 10",
                "linkedin 6 14",
                "email 7 17",
                "email 8 21"
            ]
        );
        assert_eq!(days.of(2), ["email 1 1", "linkedin 2 2", "email 3 5"]);
        assert_eq!(
            days.of(3),
            [
                "email 1 1",
                "linkedin 2 2",
                "email 3 5",
                "email 5 12",
                "email 7 17",
                "email 8 21"
            ]
        );
        let record = days.record(0).await;
        assert_eq!(record["exit_reason"], "all_steps_done");
        assert_eq!(
            steps(&record)[3],
            "4 skipped condition_not_met:linkedin_connected"
        );
        assert_eq!(days.record(2).await["exit_reason"], "replied");
        let summary = cadence::summary(&*days.world.store, days.world.today())
            .await
            .unwrap();
        assert_eq!((summary.total_enrolled, summary.actions_due_today), (4, 0));
        assert_eq!(
            (summary.by_status["completed"], summary.by_status["exited"]),
            (3, 1)
        );
        let drift = Reindex {
            store: &*days.world.store,
            ids: &*days.world.ids,
            dry_run: true,
        };
        let drift = drift.run().await.unwrap();
        assert!(drift.is_none(), "{drift:?}");
    }
}

#[tokio::test]
async fn what_is_uploaded_is_not_sent_and_the_next_step_waits_for_it() {
    let mut days = Days::new(one_world());
    days.begin(1).await;
    // The draft campaign of step 3 is started by a person three days late.
    for _ in 2..=5 {
        days.next_day();
        days.cadences().draft(&writer(), 100).await.unwrap();
        if let Some(batch) = days.approve(Motion::Cadence).await {
            days.execute(&batch, Motion::Cadence).await.unwrap();
        }
    }
    assert_eq!(days.of(0), ["email 1 1", "linkedin 2 2", "email 3 5"]);
    let due = cadence::due(&*days.world.store, days.world.today(), 9)
        .await
        .unwrap();
    assert_eq!(due.actions[0].state, "handed_over");
    while days.day < 9 {
        days.next_day();
        days.cadences().sync().await.unwrap();
        assert_eq!(steps(&days.record(0).await).len(), 2);
    }
    days.sent().await;
    days.cadences().sync().await.unwrap();
    let record = days.record(0).await;
    assert_eq!(steps(&record)[2], "3 dispatched");
    assert_eq!(
        record["next_step_due"], "2026-03-12",
        "two days after day 9"
    );
}

#[tokio::test]
async fn questions_change_nothing() {
    let mut days = Days::new(one_world());
    days.begin(2).await;
    for _ in 2..=7 {
        days.next_day();
    }
    let store = &*days.world.store;
    let before = store.dump().await.unwrap();
    let due = cadence::due(store, days.world.today(), 100).await.unwrap();
    assert_eq!(due.actions.len(), 2);
    assert_eq!((due.actions[0].step, due.actions[0].state), (2, "to_write"));
    assert_eq!(
        cadence::due(store, days.world.today(), 1)
            .await
            .unwrap()
            .actions
            .len(),
        1
    );
    cadence::summary(store, days.world.today()).await.unwrap();
    assert_eq!(
        cadence::list(store, Some("active"), 9).await.unwrap().len(),
        2
    );
    assert_eq!(cadence::list(store, None, 1).await.unwrap().len(), 1);
    assert_eq!(store.dump().await.unwrap(), before);
}

#[tokio::test]
async fn a_signal_between_approval_and_run_stops_the_follow_up() {
    for (signal, word) in [
        (json!({"status": "unsubscribed"}), "unsubscribed"),
        (json!({"status": "opened", "open_count": 2}), "waits"),
        (json!({"status": "meeting_booked"}), "answered"),
    ] {
        let mut days = Days::new(one_world());
        days.begin(1).await;
        days.next_day();
        days.cadences().draft(&writer(), 100).await.unwrap();
        let batch = days.approve(Motion::Cadence).await.unwrap();
        days.signal(&person(0), signal).await;
        let report = days.execute(&batch, Motion::Cadence).await.unwrap();
        assert_eq!(report.items[0].state, "refused");
        assert!(
            report.items[0].detail.contains(word),
            "{}",
            report.items[0].detail
        );
        assert_eq!(days.of(0), ["email 1 1"]);
    }
}

#[tokio::test]
async fn a_held_follow_up_is_refused_and_goes_once_it_is_resumed() {
    let mut days = Days::new(one_world());
    days.begin(1).await;
    days.next_day();
    days.cadences().draft(&writer(), 100).await.unwrap();
    let batch = days.approve(Motion::Cadence).await.unwrap();
    days.cadences().pause(&person(0), "holiday").await.unwrap();
    let again = days
        .cadences()
        .pause(&person(0), "again")
        .await
        .unwrap_err();
    assert_eq!(again.code(), "cadence.wrong_status");
    let report = days.execute(&batch, Motion::Cadence).await.unwrap();
    assert_eq!(report.status, BatchStatus::Failed);
    assert!(
        report.items[0].detail.contains("paused (paused:holiday)"),
        "{report:?}"
    );
    assert!(days.approve(Motion::Cadence).await.is_none());
    days.cadences().resume(&person(0)).await.unwrap();
    let batch = days.approve(Motion::Cadence).await.unwrap();
    days.execute(&batch, Motion::Cadence).await.unwrap();
    assert_eq!(days.of(0), ["email 1 1", "linkedin 2 2"]);
}

#[tokio::test]
async fn what_a_reviewer_or_a_provider_refuses_is_passed_over_with_the_reason() {
    let mut days = Days::new(one_world());
    days.begin(1).await;
    days.next_day();
    let written = days.cadences().draft(&writer(), 100).await.unwrap();
    days.world
        .review()
        .reject(&written.drafts[0], "tone")
        .await
        .unwrap();
    let synced = days.cadences().sync().await.unwrap();
    assert_eq!(synced.steps[0].why, "rejected_by_reviewer: tone");
    for _ in 3..=5 {
        days.next_day();
    }
    days.world
        .channel
        .script([Some(caio_dispatch::channel::Fault::Refused)]);
    days.morning().await;
    let record = days.record(0).await;
    assert_eq!(
        steps(&record)[1..],
        [
            "2 skipped rejected_by_reviewer: tone",
            "3 skipped refused: refused"
        ]
    );
}

#[tokio::test]
async fn scenario_21_who_is_out_of_the_follow_up_stays_out() {
    let mut days = Days::new(one_world());
    days.begin(2).await;
    days.cadences()
        .exit(&person(0), "asked by phone")
        .await
        .unwrap();
    // The provider reports the first e-mail once more, and somebody asks for it by hand.
    let entry = ledger::of_person(&*days.world.store, &person(0))
        .await
        .unwrap()
        .remove(0);
    let again = LedgerEntry {
        followed: false,
        ..entry
    };
    days.world.commit(again.writes().unwrap()).await;
    let synced = days.cadences().sync().await.unwrap();
    assert_eq!(synced.enrolled, Vec::<String>::new());
    assert_eq!(days.record(0).await["status"], "exited");
    let refused = days.cadences().enroll(&person(0), None).await.unwrap_err();
    assert_eq!(refused.code(), "cadence.enrolled");
    // Whoever opted out, and whoever was never sent anything, is not taken either.
    let unknown = days.cadences().enroll(&person(7), None).await.unwrap_err();
    assert_eq!(unknown.code(), "cadence.not_sent");
    days.signal(&person(8), json!({"status": "unsubscribed"}))
        .await;
    let gone = days
        .cadences()
        .enroll(&person(8), Some(days.world.clock.now()))
        .await
        .unwrap_err();
    assert_eq!(gone.code(), "cadence.not_eligible");
    let said = days
        .cadences()
        .enroll(&person(7), Some(days.world.clock.now()))
        .await
        .unwrap();
    assert_eq!((said.status(), said.step()), ("active", 2));
}

#[tokio::test]
async fn the_python_systems_record_is_taken_over_and_told_in_its_shape() {
    let mut days = Days::new(one_world());
    days.mirror = true;
    let theirs = json!({
        "email": "Kim0@acorn0.example.com", "cadence_id": "default_21day", "tier": "tier_2",
        "started_at": "2026-02-20T09:00:00.000000+00:00", "current_step": 3, "status": "paused",
        "exit_reason": "paused:by hand", "linkedin_url": "", "linkedin_connected": false,
        "lead_data": {"first_name": "Kim"}, "steps_completed": [
            {"step": 1, "action": "dispatched", "at": "2026-02-20T09:00:00+00:00"}],
        "last_step_at": "2026-02-20T09:00:00+00:00", "next_step_due": "2026-02-24", "paused_at": "x",
    });
    let key = records::shared_cadence(&person(0));
    let put = |value: &Value| Write::Put {
        key: key.clone(),
        value: caio_core::pytext::dumps(value).into_bytes(),
        expires_in: None,
    };
    days.world.commit(vec![put(&theirs)]).await;
    days.begin(2).await;
    let ours = days.record(0).await;
    assert_eq!(Value::Object(ours), theirs, "neither begun anew nor moved");
    let told = days
        .world
        .store
        .get(&[records::shared_cadence(&person(1))])
        .await
        .unwrap();
    let told: Value = serde_json::from_slice(&told[0].as_ref().unwrap().value).unwrap();
    let members = |it: &Value| {
        it.as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(
        members(&told),
        members(&theirs),
        "a member more would cost the record"
    );
    assert_eq!(told["current_step"], 2, "the first e-mail is step 1 (CA-9)");
    // What that system ends, ends here.
    let mut ended = told.clone();
    ended["status"] = "exited".into();
    ended["exit_reason"] = "bounced".into();
    let key = records::shared_cadence(&person(1));
    days.world
        .commit(vec![Write::Put {
            key,
            value: caio_core::pytext::dumps(&ended).into_bytes(),
            expires_in: None,
        }])
        .await;
    let synced = days.cadences().sync().await.unwrap();
    assert_eq!(synced.exited, [person(1).to_string()]);
    assert_eq!(days.record(1).await["exit_reason"], "bounced");
}

#[tokio::test]
async fn a_day_is_the_business_day_across_midnight_and_the_change_of_clocks() {
    // New York sets its clocks forward in the night of 8 March and back in that of 1 November 2026.
    for (sent, before, after) in [
        (
            "2026-03-08T04:30:00Z",
            "2026-03-08T04:59:59Z",
            "2026-03-08T05:00:00Z",
        ),
        (
            "2026-03-09T03:30:00Z",
            "2026-03-09T03:59:59Z",
            "2026-03-09T04:00:00Z",
        ),
        (
            "2026-11-01T03:30:00Z",
            "2026-11-01T03:59:59Z",
            "2026-11-01T04:00:00Z",
        ),
        (
            "2026-11-02T04:30:00Z",
            "2026-11-02T04:59:59Z",
            "2026-11-02T05:00:00Z",
        ),
    ] {
        let mut days = Days::new(one_world());
        days.zone = TimeZone::get("America/New_York").unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        days.world
            .clock
            .advance(at(sent).duration_since(days.world.clock.now()));
        days.world.commit(lead(&person(0), true)).await;
        days.cadences()
            .enroll(&person(0), Some(at(sent)))
            .await
            .unwrap();
        let due = async |now: &str| {
            let today = at(now).to_zoned(days.zone.clone()).date();
            let due = cadence::due(&*days.world.store, today, 9).await.unwrap();
            due.actions.iter().map(|it| it.step).collect::<Vec<_>>()
        };
        assert_eq!(due(before).await, Vec::<i64>::new(), "{sent}");
        assert_eq!(due(after).await, [2], "{sent}");
    }
}

/// What happens, in any order.
#[derive(Debug, Clone, Copy)]
enum Move {
    Day,
    Sync,
    Draft,
    Run,
    Sent,
    Signal(&'static str),
    Pause,
    Resume,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        6 => Just(Move::Day),
        2 => Just(Move::Sync),
        4 => Just(Move::Draft),
        4 => Just(Move::Run),
        4 => Just(Move::Sent),
        1 => prop::sample::select(vec!["opened", "linkedin_connected"]).prop_map(Move::Signal),
        1 => prop::sample::select(vec!["replied", "unsubscribed", "bounced"]).prop_map(Move::Signal),
        1 => Just(Move::Pause),
        1 => Just(Move::Resume),
    ];
    prop::collection::vec(one, 1..70)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever comes when: no step twice, nothing after an end or while it is held, steps in order.
    #[test]
    fn whatever_happens_in_whatever_order(moves in moves()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut days = Days::new(one_world());
            days.begin(1).await;
            let (mut ended, mut held) = (None, false);
            for it in moves {
                let before = days.touches.len();
                match it {
                    Move::Day => days.next_day(),
                    Move::Sync => drop(days.cadences().sync().await.unwrap()),
                    Move::Draft => drop(days.cadences().draft(&writer(), 9).await.unwrap()),
                    Move::Sent => days.sent().await,
                    Move::Pause => held |= days.cadences().pause(&person(0), "x").await.is_ok(),
                    Move::Resume => {
                        if days.cadences().resume(&person(0)).await.is_ok() {
                            held = false;
                        }
                    }
                    Move::Signal(status) => {
                        if !matches!(status, "opened" | "linkedin_connected") {
                            ended.get_or_insert(status);
                        }
                        // What ends it is sticky, as the record of signals has it.
                        let status = ended.unwrap_or(status);
                        let linkedin = (status == "linkedin_connected").then_some("connected");
                        days.signal(&person(0), json!({"status": status, "linkedin_status": linkedin})).await;
                    }
                    Move::Run => {
                        if let Some(batch) = days.approve(Motion::Cadence).await {
                            days.execute(&batch, Motion::Cadence).await.unwrap();
                        }
                    }
                }
                days.received();
                let is_new = days.touches.len() > before;
                assert!(!is_new || (ended.is_none() && !held), "after {ended:?}, held {held}");
            }
            let mut order: Vec<_> = days.touches.iter().map(|((_, _, step), day)| (*day, *step)).collect();
            order.sort_unstable();
            assert!(order.is_sorted_by(|a, b| a.1 < b.1), "{order:?}");
        });
    }
}

#[tokio::test]
async fn nothing_is_due_for_a_first_touch_that_is_not_known_as_sent() {
    let mut days = Days::new(one_world());
    for number in 0..2 {
        days.world.commit(lead(&person(number), true)).await;
    }
    let batch = days.world.approved(2).await;
    days.execute(&batch, Motion::Outbound).await.unwrap();
    assert!(days.cadences().sync().await.unwrap().enrolled.is_empty());
    let entry = ledger::of_person(&*days.world.store, &person(1))
        .await
        .unwrap()
        .remove(0);
    let entry = entry.learned(Later::Sent, days.world.clock.now());
    days.world.commit(entry.writes().unwrap()).await;
    let synced = days.cadences().sync_person(&person(1)).await.unwrap();
    assert_eq!(synced.enrolled, [person(1).to_string()]);
    assert!(
        days.cadences().sync().await.unwrap().enrolled.is_empty(),
        "once"
    );
    assert_eq!(Step::REVIVAL.0, 101);
}

/// Counts what is asked of a store.
#[derive(Debug, Default)]
struct Counting(AtomicUsize);

#[async_trait]
impl Between for Counting {
    async fn read(&self) -> Result<(), StoreError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test]
async fn what_is_due_costs_what_is_due_and_not_who_is_in_it() {
    let mut costs = Vec::new();
    for people in [10, 1000] {
        let days = Days::new(one_world());
        for number in 0..people {
            let now = Some(days.world.clock.now());
            days.cadences().enroll(&person(number), now).await.unwrap();
        }
        let counting = Arc::new(Counting::default());
        let store = Wrapped::new(&days.world.store, &counting);
        let today = days.world.today();
        let due = cadence::due(&*store, today, 50).await.unwrap();
        assert!(due.actions.is_empty());
        costs.push(counting.0.load(Ordering::SeqCst));
    }
    assert_eq!(costs[0], costs[1], "reads with 10 and with 1000 people");
    assert!(costs[0] <= 4, "{costs:?}");
}
