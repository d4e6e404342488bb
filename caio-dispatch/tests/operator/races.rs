//! Several executors at one batch, a holder that comes back too late, and two batches at one limit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use caio_core::IdSource;
use caio_core::batch::{Batch, NewBatch};
use caio_core::terms::{Motion, Provider};
use caio_dispatch::channel::RecordingChannel;
use caio_dispatch::operator::{Operator, Permits};
use caio_dispatch::reindex::Reindex;
use caio_dispatch::{ledger, plan, records};
use caio_state::{CommitOutcome, Key, StateStore, StateStoreExt, StoreError, Txn, Write};
use jiff::SignedDuration;
use tokio::sync::Notify;

use crate::flip::unlimited;
use crate::wrapped::{Between, Wrapped};
use crate::{World, keys, worlds};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn scenario_01_two_to_sixteen_executors_race_for_one_batch_and_one_wins() {
    for executors in [2, 4, 16] {
        for world in worlds(1) {
            let batch = world.approved(6).await;
            let tasks: Vec<_> = (0..executors)
                .map(|number| {
                    let mut operator = world.operator(&format!("executor {number}"));
                    operator.permits = Permits::new(3);
                    let id = batch.id.clone();
                    tokio::spawn(async move { operator.execute(&id, Motion::Outbound).await })
                })
                .collect();
            let mut won = 0;
            for task in tasks {
                match task.await.unwrap() {
                    Ok(report) => {
                        won += usize::from(report.items.iter().all(|it| it.state == "accepted"));
                    }
                    Err(error) => assert!(
                        ["lease.held", "lock.held", "batch.wrong_status"].contains(&error.code()),
                        "{error}"
                    ),
                }
            }
            assert_eq!(
                (won, world.received().len()),
                (1, 6),
                "{} {executors}",
                world.store
            );
        }
    }
}

/// The whole process is paused when it has made so many steps.
#[derive(Debug)]
struct Pausing {
    left: AtomicUsize,
    paused: Notify,
    resumes: Notify,
    is_over: AtomicBool,
}

impl Pausing {
    fn at(step: usize) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicUsize::new(step),
            paused: Notify::new(),
            resumes: Notify::new(),
            is_over: AtomicBool::new(false),
        })
    }

    fn resume(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.resumes.notify_waiters();
    }

    /// Waits while the process is paused.
    async fn pass(&self) {
        let resumes = self.resumes.notified();
        if self.left.load(Ordering::SeqCst) == 0 && !self.is_over.load(Ordering::SeqCst) {
            self.paused.notify_one();
            resumes.await;
        }
    }

    async fn step(&self) {
        let count = |left: usize| Some(left.saturating_sub(1));
        let _ = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, count);
        self.pass().await;
    }
}

#[async_trait]
impl Between for Pausing {
    async fn read(&self) -> Result<(), StoreError> {
        self.step().await;
        Ok(())
    }
    async fn commit(
        &self,
        store: &dyn StateStore,
        txns: &[Txn],
    ) -> Result<Vec<CommitOutcome>, StoreError> {
        self.step().await;
        store.commit_many(txns).await
    }
    async fn after(&self) {
        self.pass().await;
    }
}

/// Every document but leases.
async fn documents(world: &World) -> String {
    let dump = world.store.dump().await.unwrap();
    let lines = dump.lines().filter(|line| !line.starts_with("caio:lease:"));
    lines.collect::<Vec<_>>().join("\n")
}

/// One executor is paused at a step until another one has taken over and finished; `false` when its run
/// has fewer steps.
async fn comes_back_too_late(world: &World, step: usize, permits: usize) -> bool {
    let what = format!("{} step {step}, permits {permits}", world.store);
    let batch = world.approved(4).await;
    let pausing = Pausing::at(step);
    let stale = Operator {
        store: Wrapped::new(&world.store, &pausing),
        permits: Permits::new(permits),
        ..world.operator("stale")
    };
    let id = batch.id.clone();
    let run = tokio::spawn(async move { stale.execute(&id, Motion::Outbound).await });
    tokio::select! {
        () = pausing.paused.notified() => {}
        () = async { while !run.is_finished() { tokio::task::yield_now().await; } } => return false,
    }
    // A call that was made before the pause is with the provider by now.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    let called = world.received().len();
    world.clock.advance(SignedDuration::from_secs(61));
    // Where the store keeps the time, locks and leases end by hand.
    let locks = ["outbound", "all"].map(|name| Key::new(&["locks", "operator", name]));
    let ends = locks
        .into_iter()
        .chain([records::executor_lease(&batch.id)]);
    world.commit(ends.map(Write::Delete).collect()).await;
    let second = world.run(&batch).await;
    let finished = documents(world).await;
    let calls = world.channel.calls();

    pausing.resume();
    let late = run.await.unwrap();
    assert_eq!(
        documents(world).await,
        finished,
        "{what}: nothing that came too late was written"
    );
    assert_eq!(
        world.channel.calls(),
        calls,
        "{what}: nor was anybody called"
    );
    assert!(called <= calls, "{what}");
    // One of them has executed the batch.
    if let Err(error) = &second {
        assert_eq!(error.code(), "batch.wrong_status", "{what}: {error}");
        assert!(late.is_ok(), "{what}: {late:?}");
    }
    // Whoever was not written to is offered again; then everybody has one message.
    let plan = plan::plan(&*world.store, &World::request()).await.unwrap();
    assert_eq!(world.received().len() + plan.offered.len(), 4, "{what}");
    if !plan.offered.is_empty() {
        let rest = world.batch_of(100).await;
        world.run(&rest).await.unwrap();
    }
    let mut received = world.received();
    received.dedup();
    assert_eq!(
        (received.len(), world.channel.received().len()),
        (4, 4),
        "{what}: once each"
    );
    true
}

#[tokio::test]
async fn a_holder_that_resumes_after_its_time_writes_nothing_and_calls_nobody() {
    // Memory and Redis with three calls at a time, the file with one.
    for (backend, permits) in [(0, 3), (1, 1), (2, 3)] {
        let mut step = 1;
        while comes_back_too_late(&worlds(1)[backend], step, permits).await {
            step += 1;
        }
        assert!(step > 15, "a run has many steps: {step}");
    }
}

/// An approved batch of so many drafts that goes through `provider`.
async fn batch_through(world: &World, provider: Provider, size: usize) -> Batch {
    let request = World::request();
    let plan = plan::plan(&*world.store, &request).await.unwrap();
    let made = plan::batch(&plan, &request, &*world.clock, &*world.ids).unwrap();
    let mut items = made.items[..size].to_vec();
    for item in &mut items {
        item.provider = provider;
    }
    let created = caio_core::Clock::now(&*world.clock);
    let batch = Batch::create(NewBatch {
        id: made.id,
        motion: Motion::Outbound,
        created,
        expires: created + request.expires_in,
        nonce: world.ids.random(),
        limits: request.limits,
        preview_hash: made.preview_hash,
        items,
    })
    .unwrap();
    world.batches().add(&batch).await.unwrap();
    let (batches, keys) = (world.batches(), keys());
    let approved = batches.approve(&batch.id, &batch.digest, None, &keys);
    approved.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_batches_through_two_providers_stay_within_one_limit() {
    const CAP: usize = 10;
    for world in worlds(1) {
        world.fill(24).await;
        let batches = [
            batch_through(&world, Provider::Instantly, 12).await,
            batch_through(&world, Provider::Ghl, 12).await,
        ];
        let ghl = Arc::new(RecordingChannel::new(Provider::Ghl, 1));
        let mut runs = Vec::new();
        for batch in &batches {
            let mut operator = world.operator(&batch.id);
            operator.channels = BTreeMap::from([
                (Provider::Instantly, world.channel.clone() as _),
                (Provider::Ghl, ghl.clone() as _),
            ]);
            operator.limits = unlimited();
            operator.limits.email_per_day = u32::try_from(CAP).unwrap();
            operator.limits.email_min_delay_seconds = 0;
            operator.permits = Permits::new(8);
            // Beside the Python system one run would keep the other one out.
            operator.coexist = None;
            let id = batch.id.clone();
            runs.push(tokio::spawn(async move {
                operator.execute(&id, Motion::Outbound).await
            }));
        }
        let mut refused = 0;
        for run in runs {
            let report = run.await.unwrap().unwrap();
            let over = report
                .items
                .iter()
                .filter(|it| it.detail.contains("limit reached"));
            refused += over.count();
        }
        let sent = world.channel.received().len() + ghl.received().len();
        assert_eq!((sent, refused), (CAP, 24 - CAP), "{}", world.store);
        let day = records::limit(&format!("email:day:{}", world.today()));
        assert_eq!(world.store.counters(&[day]).await.unwrap(), [10]);
        let mut entries = 0;
        for batch in &batches {
            entries += ledger::of_batch(&*world.store, &batch.id)
                .await
                .unwrap()
                .len();
        }
        assert_eq!(entries, CAP);
        // Every index says what the records say, of what is sent at once as well.
        let reindex = Reindex {
            store: &*world.store,
            ids: &*world.ids,
            dry_run: true,
        };
        let drift = reindex.run().await.unwrap();
        assert!(drift.is_none(), "{}: {drift:?}", world.store);
    }
}
