//! Messages that keep a distance: the run waits for it, for so long, and a stop ends the waiting.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use caio_core::batch::{Batch, BatchStatus};
use caio_core::safety::ChannelState;
use caio_core::terms::{Motion, Provider};
use caio_dispatch::channel::{Channel, RecordingChannel};
use caio_dispatch::ledger;
use caio_dispatch::operator::{Operator, RunReport};
use caio_dispatch::plan::{self, PlanRequest};
use caio_dispatch::records;
use caio_state::conformance::TestClock;
use caio_state::stop::{self, Stop};
use caio_state::{CommitOutcome, StateStore, StoreError, Txn, Write};
use jiff::{SignedDuration, Timestamp};

use crate::world::keys;
use crate::wrapped::{Between, Wrapped};
use crate::{World, worlds_with_our_time};

/// Letters that GoHighLevel sends at once, approved.
async fn letters(world: &World, count: usize) -> Batch {
    letters_for(world, count, World::request().expires_in).await
}

/// The same with an approval that can be used so long.
async fn letters_for(world: &World, count: usize, expires_in: SignedDuration) -> Batch {
    world.fill(count).await;
    let request = PlanRequest {
        via: Provider::Ghl,
        expires_in,
        ..World::request()
    };
    let plan = plan::plan(&*world.store, &request).await.unwrap();
    let batch = plan::batch(&plan, &request, &*world.clock, &*world.ids).unwrap();
    world.batches().add(&batch).await.unwrap();
    world
        .batches()
        .approve(&batch.id, &batch.digest, None, &keys())
        .await
        .unwrap()
}

fn operator(world: &World) -> (Operator, Arc<RecordingChannel>) {
    let channel = Arc::new(RecordingChannel::new(Provider::Ghl, 1));
    let mut operator = world.operator("one");
    operator.channels = BTreeMap::from([(Provider::Ghl, channel.clone() as Arc<dyn Channel>)]);
    operator.gate.inputs.channel = ChannelState::SendsAtOnceAsked;
    // Our clock runs ahead of the one by which leases are prolonged.
    operator.lease = SignedDuration::from_hours(9);
    (operator, channel)
}

/// Runs `batch` while the clock goes on by `pace` every few milliseconds.
async fn run(
    world: &World,
    operator: &Operator,
    batch: &Batch,
    pace: SignedDuration,
    happens: impl AsyncFn(),
) -> RunReport {
    let time = async {
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            world.clock.advance(pace);
            happens().await;
        }
    };
    tokio::select! {
        report = operator.execute(&batch.id, Motion::Outbound) => report.unwrap(),
        () = time => unreachable!("time does not end"),
    }
}

#[tokio::test]
async fn letters_that_keep_a_distance_all_go_in_one_run() {
    let world = worlds_with_our_time(1).remove(0);
    let batch = letters(&world, 4).await;
    let (operator, channel) = operator(&world);
    let second = SignedDuration::from_secs(1);
    let report = run(&world, &operator, &batch, second, async || {}).await;
    assert_eq!(report.status, BatchStatus::Executed, "{:?}", report.items);
    assert_eq!(channel.received().len(), 4);
    assert!(
        report.limits.is_empty(),
        "waiting is no limit that is reached"
    );
    let entries = ledger::of_batch(&*world.store, &batch.id).await.unwrap();
    let claimed: Vec<Timestamp> = entries
        .iter()
        .map(|it| it.intended_at.parse().unwrap())
        .collect();
    assert_eq!(claimed.len(), 4);
    for pair in claimed.windows(2) {
        let apart = pair[1].duration_since(pair[0]);
        assert!(apart >= SignedDuration::from_secs(45), "{apart:?}");
    }
}

#[tokio::test]
async fn a_stop_ends_the_waiting_and_the_rest_stays_approved() {
    let world = worlds_with_our_time(1).remove(0);
    let batch = letters(&world, 4).await;
    let (operator, channel) = operator(&world);
    let flag = Stop {
        by: "kim".to_owned(),
        at: "2026-03-02T12:00:00Z".to_owned(),
        reason: String::new(),
    };
    let stopped = async || {
        if channel.received().len() == 1 {
            world.commit(vec![stop::set(&flag)]).await;
        }
    };
    // No time passes, so that nothing but the stop ends the waiting.
    let report = run(&world, &operator, &batch, SignedDuration::ZERO, stopped).await;
    assert!(report.stopped.is_some());
    assert_eq!(report.status, BatchStatus::Partial);
    assert_eq!(channel.received().len(), 1);
    world.commit(vec![stop::clear()]).await;
    let plan = plan::plan(&*world.store, &World::request()).await.unwrap();
    assert_eq!(plan.offered.len(), 3);
}

#[tokio::test]
async fn after_an_hour_of_waiting_the_rest_is_told_when_and_stays_approved() {
    let world = worlds_with_our_time(1).remove(0);
    let batch = letters(&world, 90).await;
    let (operator, channel) = operator(&world);
    let minutes = SignedDuration::from_mins(2);
    let report = run(&world, &operator, &batch, minutes, async || {}).await;
    let sent = channel.received().len();
    assert!((2..=9).contains(&sent), "{sent}");
    assert_eq!(report.status, BatchStatus::Partial);
    assert!(report.limits.is_empty(), "nobody is told of a limit");
    let left = report.items.iter().filter(|it| it.state != "accepted");
    let left: Vec<_> = left.collect();
    assert_eq!(left.len(), 90 - sent);
    for item in left {
        assert_eq!(item.state, "refused");
        assert!(item.detail.starts_with("not before 20"), "{}", item.detail);
    }
    let plan = plan::plan(&*world.store, &World::request()).await.unwrap();
    assert_eq!(plan.offered.len(), 90 - sent);
}

#[tokio::test]
async fn nothing_waits_for_a_time_at_which_the_approval_has_ended() {
    let world = worlds_with_our_time(1).remove(0);
    let batch = letters_for(&world, 6, SignedDuration::from_hours(1)).await;
    world.clock.advance(SignedDuration::from_mins(58));
    let ends: Timestamp = batch.expires_at.parse().unwrap();
    let (operator, channel) = operator(&world);
    let second = SignedDuration::from_secs(1);
    let report = run(&world, &operator, &batch, second, async || {}).await;
    let entries = ledger::of_batch(&*world.store, &batch.id).await.unwrap();
    for entry in &entries {
        assert!(entry.intended_at.parse::<Timestamp>().unwrap() <= ends);
    }
    assert_eq!(report.status, BatchStatus::Partial);
    let sent = channel.received().len();
    assert!((1..=3).contains(&sent), "{sent}");
    assert_eq!(entries.len(), sent);
    let plan = plan::plan(&*world.store, &World::request()).await.unwrap();
    assert_eq!(plan.offered.len(), 6 - sent, "the rest stays approved");
}

/// A day and an hour go by after the first claim.
#[derive(Debug)]
struct Later(Arc<TestClock>);

#[async_trait]
impl Between for Later {
    async fn commit(
        &self,
        store: &dyn StateStore,
        txns: &[Txn],
    ) -> Result<Vec<CommitOutcome>, StoreError> {
        let outcomes = store.commit_many(txns).await?;
        let is_touch = |write: &Write| matches!(write, Write::Put { key, .. } if key.as_str().starts_with("caio:touch:"));
        if txns.iter().flat_map(|txn| &txn.writes).any(is_touch) {
            self.0.advance(SignedDuration::from_hours(25));
        }
        Ok(outcomes)
    }
}

#[tokio::test]
async fn nothing_is_claimed_once_the_approval_has_ended() {
    for world in worlds_with_our_time(1) {
        let batch = world.approved(4).await;
        let mut operator = world.operator("one");
        operator.store = Wrapped::new(&world.store, &Arc::new(Later(world.clock.clone())));
        operator.lease = SignedDuration::from_hours(30);
        let report = operator.execute(&batch.id, Motion::Outbound).await.unwrap();
        let stopped = report.stopped.unwrap();
        assert!(stopped.contains("expired"), "{stopped}");
        assert_eq!(report.status, BatchStatus::Partial);
        let entries = ledger::of_batch(&*world.store, &batch.id).await.unwrap();
        assert_eq!(
            (entries.len(), world.received().len()),
            (1, 1),
            "{}",
            world.store
        );
        let plan = plan::plan(&*world.store, &World::request()).await.unwrap();
        assert_eq!(plan.offered.len(), 3, "the rest stays approved");
    }
}

#[tokio::test]
async fn a_run_that_was_taken_over_waits_for_nothing() {
    let world = worlds_with_our_time(1).remove(0);
    let batch = letters(&world, 2).await;
    let (mut operator, channel) = operator(&world);
    // No time passes; the lease is looked at every 20 ms.
    operator.lease = SignedDuration::from_millis(60);
    let lease = records::executor_lease(&batch.id);
    let taken = async || {
        if channel.received().len() == 1 {
            world.commit(vec![Write::Delete(lease.clone())]).await;
        }
    };
    let run = run(&world, &operator, &batch, SignedDuration::ZERO, taken);
    let report = tokio::time::timeout(Duration::from_mins(1), run).await;
    let stopped = report.unwrap().stopped.unwrap();
    assert!(stopped.contains("lease was lost"), "{stopped}");
    assert_eq!(channel.received().len(), 1);
}
