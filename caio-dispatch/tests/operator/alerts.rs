//! What batches and runs are worth telling: found in the records, told once.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use caio_core::batch::BatchStatus;
use caio_core::escalation::{AlertChannel, Subject, Told};
use caio_core::time::rfc3339;
use caio_core::{Batch, Clock};
use caio_dispatch::channel::Fault;
use caio_dispatch::history::Event;
use caio_dispatch::ledger::{self, Later};
use caio_dispatch::notify::{
    self, Alert, AlertPolicy, Alerts, Drain, Notice, Notifier, Notifiers, Which,
};
use caio_dispatch::plan;
use caio_state::stop::{self, Stop};
use jiff::SignedDuration;

use crate::{World, keys, worlds, worlds_with_our_time};

fn alerts<'a>(world: &'a World, policy: &'a AlertPolicy) -> Alerts<'a> {
    Alerts {
        store: &*world.store,
        clock: &*world.clock,
        ids: &*world.ids,
        policy,
    }
}

/// Remembers titles.
#[derive(Debug, Default)]
struct Ears(Mutex<Vec<String>>);

impl std::fmt::Display for Ears {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ears")
    }
}

#[async_trait]
impl Notifier for Ears {
    fn channel(&self) -> AlertChannel {
        AlertChannel::Slack
    }

    async fn notify(&self, notice: &Notice) -> Told {
        self.0.lock().unwrap().push(notice.title.clone());
        Told::Sent {
            receipt: String::new(),
        }
    }
}

/// Every alert, the oldest first.
async fn raised(world: &World) -> Vec<Alert> {
    let listed = notify::list(&*world.store, None, 100).await.unwrap();
    listed.into_iter().rev().map(|it| it.alert).collect()
}

async fn pending(world: &World, size: usize) -> Batch {
    world.we_send().await;
    for number in 0..size {
        world.draft(number).await;
    }
    let request = World::request();
    let plan = plan::plan(&*world.store, &request).await.unwrap();
    let batch = plan::batch(&plan, &request, &*world.clock, &*world.ids).unwrap();
    world.batches().add(&batch).await.unwrap();
    batch
}

#[tokio::test]
async fn bt_8_a_batch_that_waits_is_told_and_grows_louder_by_the_hour() {
    let policy = AlertPolicy::default();
    for world in worlds_with_our_time(2) {
        let batch = pending(&world, 3).await;
        let mut levels = Vec::new();
        for hours in [0, 1, 3, 1, 3, 1, 5] {
            world.clock.advance(SignedDuration::from_hours(hours));
            notify::watch(&alerts(&world, &policy)).await.unwrap();
            levels.push(raised(&world).await.len());
        }
        assert_eq!(
            levels,
            [1, 1, 2, 2, 3, 3, 3],
            "once a level: at 0, 4 and 8 hours"
        );
        let raised = raised(&world).await;
        let first = &raised[0];
        assert_eq!(first.kind, "batch_ready");
        assert!(first.title.contains(&batch.id) && first.title.contains("3 messages"));
        assert!(first.text.contains("Companies: Acorn"), "{}", first.text);
        assert!(first.text.contains(&batch.expires_at), "{}", first.text);
        let levels: Vec<u8> = raised.iter().map(|it| it.level.number()).collect();
        assert_eq!(levels, [1, 2, 3]);
        // Somebody answered: nothing more to say.
        world
            .batches()
            .approve(&batch.id, &batch.digest, None, &keys())
            .await
            .unwrap();
        world.clock.advance(SignedDuration::from_hours(6));
        notify::watch(&alerts(&world, &policy)).await.unwrap();
        assert_eq!(raised.len(), self::raised(&world).await.len());
    }
}

#[tokio::test]
async fn bt_7_what_expired_is_told_once_with_what_stayed_unsent() {
    let policy = AlertPolicy::default();
    for world in worlds_with_our_time(2) {
        let approved = world.approved(2).await;
        for number in 2..5 {
            world.draft(number).await;
        }
        let request = World::request();
        let plan = plan::plan(&*world.store, &request).await.unwrap();
        let waits = plan::batch(&plan, &request, &*world.clock, &*world.ids).unwrap();
        world.batches().add(&waits).await.unwrap();
        let expire = || async {
            let deciding = world.batches();
            let alerts = alerts(&world, &policy);
            notify::expire(&deciding, &alerts).await.unwrap()
        };
        assert!(expire().await.0.is_empty(), "not before its time");
        world.clock.advance(SignedDuration::from_hours(25));
        let (expired, problems) = expire().await;
        assert_eq!(problems, Vec::<String>::new());
        let mut sizes: Vec<usize> = expired.iter().map(|it| it.items.len()).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [2, 3], "pending and approved ones");
        assert!(expired.iter().all(|it| it.status == BatchStatus::Expired));
        assert!(expire().await.0.is_empty(), "again changes nothing");
        let raised = raised(&world).await;
        assert_eq!(raised.len(), 2);
        let of_approved = raised.iter().find(|it| it.subject == approved.id).unwrap();
        assert!(of_approved.title.contains("2 messages stayed unsent"));
        assert!(
            of_approved.text.contains("had been approved"),
            "{}",
            of_approved.text
        );
        // What stayed unsent can go into another batch.
        let plan = plan::plan(&*world.store, &World::request()).await.unwrap();
        assert_eq!(plan.offered.len(), 5);
    }
}

#[tokio::test]
async fn a_run_tells_of_unknown_outcomes_and_full_limits_and_the_watch_of_what_it_left() {
    for world in worlds(1) {
        let batch = world.approved(3).await;
        world.channel.script([Some(Fault::LostAnswer)]);
        let mut operator = world.operator("one");
        operator.limits.email_per_day = 2;
        let report = operator.execute(&batch.id, batch.motion).await.unwrap();
        let told = notify::told_by_run(&report);
        let unknown = Subject::UnknownOutcome {
            batch: batch.id.clone(),
            messages: 1,
        };
        assert_eq!(told[0], unknown);
        let Subject::LimitReached { window } = &told[1] else {
            panic!("{told:?}");
        };
        assert!(window.starts_with("email:day:"), "{window}");
        assert_eq!(told.len(), 2);
        let policy = AlertPolicy::default();
        let alerts = alerts(&world, &policy);
        assert!(alerts.raise_all(told).await.is_empty());
        // The process might have died before that: the records say the same, and it is told once.
        notify::watch(&alerts).await.unwrap();
        let kinds: Vec<String> = raised(&world).await.into_iter().map(|it| it.kind).collect();
        assert_eq!(kinds, ["unknown_outcome", "limit_reached"]);
        let ears = Arc::new(Ears::default());
        let notifiers = Notifiers::default().with(ears.clone());
        let drain = Drain {
            store: &*world.store,
            notifiers: &notifiers,
            clock: &*world.clock,
            ids: &*world.ids,
            holder: "one",
        };
        for expected in [2, 0] {
            let drained = drain.run(Which::Due).await.unwrap();
            assert_eq!(drained.alerts.len(), expected, "once, on {}", world.store);
        }
        let heard = ears.0.lock().unwrap().join("; ");
        assert!(
            heard.contains("Nobody knows") && heard.contains("Limit reached"),
            "{heard}"
        );
    }
}

#[tokio::test]
async fn a_stop_flag_that_changed_without_a_word_is_told() {
    let policy = AlertPolicy::default();
    for world in worlds_with_our_time(1) {
        let watch = || async { notify::watch(&alerts(&world, &policy)).await.unwrap() };
        let kinds = || async {
            let raised = raised(&world).await;
            let kinds: Vec<String> = raised.into_iter().map(|it| it.kind).collect();
            kinds.join(" ")
        };
        watch().await;
        assert_eq!(kinds().await, "", "it was never set");
        let stop = Stop {
            by: "kim".to_owned(),
            at: rfc3339(world.clock.now()),
            reason: "pause".to_owned(),
        };
        world.commit(vec![stop::set(&stop)]).await;
        watch().await;
        assert_eq!(kinds().await, "", "whoever stops may still be at it");
        world.clock.advance(SignedDuration::from_mins(3));
        watch().await;
        watch().await;
        assert_eq!(kinds().await, "stopped");
        world.clock.advance(SignedDuration::from_hours(25));
        watch().await;
        assert_eq!(
            kinds().await,
            "stopped stopped",
            "a stop that lasts, once a day"
        );
        let event = Event::new("e1", world.clock.now(), "ann", "stop.cleared", "sending");
        let mut writes = vec![stop::clear()];
        writes.extend(event.writes().unwrap());
        world.commit(writes).await;
        watch().await;
        watch().await;
        assert_eq!(kinds().await, "stopped stopped resumed");
        let raised = raised(&world).await;
        assert!(raised[2].title.contains("ann"), "{}", raised[2].title);
    }
}

#[tokio::test]
async fn a_run_without_trouble_tells_nobody_anything() {
    for world in worlds_with_our_time(2) {
        let batch = world.approved(3).await;
        let report = world.run(&batch).await.unwrap();
        assert_eq!(notify::told_by_run(&report), []);
    }
}

#[tokio::test]
async fn bounces_over_the_threshold_are_told_and_redelivery_of_one_changes_nothing() {
    let policy = AlertPolicy::default();
    for world in worlds_with_our_time(4) {
        let batch = world.approved(20).await;
        world.run(&batch).await.unwrap();
        let now = world.clock.now();
        let mut entries = ledger::of_batch(&*world.store, &batch.id).await.unwrap();
        for entry in &mut entries {
            *entry = entry.learned(Later::Sent, now);
            world.commit(entry.writes().unwrap()).await;
        }
        let bounce = |at: usize| entries[at].learned(Later::Bounced, now);
        for _ in 0..3 {
            world.commit(bounce(0).writes().unwrap()).await;
            notify::bounced(&alerts(&world, &policy)).await.unwrap();
        }
        assert!(
            raised(&world).await.is_empty(),
            "1 of 20 is at the threshold"
        );
        world.commit(bounce(1).writes().unwrap()).await;
        notify::bounced(&alerts(&world, &policy)).await.unwrap();
        let raised_now = raised(&world).await;
        assert_eq!(raised_now.len(), 1);
        assert!(
            raised_now[0].title.contains("2 of 20"),
            "{}",
            raised_now[0].title
        );
        assert_eq!(raised_now[0].level.number(), 3);
        // A week later those days are over.
        world.clock.advance(SignedDuration::from_hours(8 * 24));
        notify::bounced(&alerts(&world, &policy)).await.unwrap();
        assert_eq!(
            raised(&world).await.len(),
            1,
            "at {}",
            rfc3339(world.clock.now())
        );
    }
}
