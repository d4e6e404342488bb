//! The process ends at every step of a run, one after the other: nobody is written to twice, nobody
//! is lost.
//!
//! A step is a call of the store or of the channel. Each one is cut twice: before it has its effect,
//! and after it while the answer is still on its way. What follows is a new process: another executor,
//! once the lease of the first has ended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use caio_core::batch::{Batch, BatchStatus};
use caio_core::terms::{Motion, Provider};
use caio_dispatch::channel::{Channel, Container, Outcome, Outgoing, Prepared, Proof};
use caio_dispatch::ledger::{self, DeliveryState, LedgerEntry};
use caio_dispatch::operator::Operator;
use caio_dispatch::plan;
use caio_state::{
    Capabilities, CommitOutcome, Key, Page, Range, RangeEntry, Sink, StateStore, StoreError, Txn,
    Versioned,
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use crate::{World, worlds, worlds_with_our_time};

const PEOPLE: usize = 3;

/// Where the process ends.
#[derive(Debug)]
struct Death {
    /// Steps that are left.
    left: AtomicUsize,
    /// The last step has its effect.
    after: bool,
    died: Notify,
}

impl Death {
    fn at(step: usize, after: bool) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicUsize::new(step),
            after,
            died: Notify::new(),
        })
    }

    /// Makes a step, or never returns.
    async fn step<T>(&self, step: impl Future<Output = T>) -> T {
        let left = self.left.load(Ordering::SeqCst);
        self.left.store(left.saturating_sub(1), Ordering::SeqCst);
        if left != 1 {
            return step.await;
        }
        if self.after {
            step.await;
        }
        self.died.notify_one();
        std::future::pending().await
    }

    fn has_come(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }
}

#[derive(Debug)]
struct Mortal<T: ?Sized>(Arc<Death>, Arc<T>);

impl<T: std::fmt::Display + ?Sized> std::fmt::Display for Mortal<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.1.fmt(f)
    }
}

#[async_trait]
impl StateStore for Mortal<dyn StateStore> {
    fn capabilities(&self) -> Capabilities {
        self.1.capabilities()
    }
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, StoreError> {
        self.0.step(self.1.get(keys)).await
    }
    async fn counters(&self, keys: &[Key]) -> Result<Vec<u64>, StoreError> {
        self.0.step(self.1.counters(keys)).await
    }
    async fn scan(
        &self,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page<(Key, Versioned), Key>, StoreError> {
        self.0.step(self.1.scan(prefix, after, limit)).await
    }
    async fn range(
        &self,
        index: &str,
        range: &Range,
        after: Option<&RangeEntry>,
        limit: usize,
    ) -> Result<Page<RangeEntry, RangeEntry>, StoreError> {
        self.0.step(self.1.range(index, range, after, limit)).await
    }
    async fn commit(&self, txn: &Txn) -> Result<CommitOutcome, StoreError> {
        self.0.step(self.1.commit(txn)).await
    }
    async fn commit_many(&self, txns: &[Txn]) -> Result<Vec<CommitOutcome>, StoreError> {
        self.0.step(self.1.commit_many(txns)).await
    }
    async fn export(&self, sink: &mut dyn Sink) -> Result<(), StoreError> {
        self.0.step(self.1.export(sink)).await
    }
    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.1.now().await
    }
    async fn ping(&self) -> Result<(), StoreError> {
        self.1.ping().await
    }
}

#[async_trait]
impl Channel for Mortal<dyn Channel> {
    fn provider(&self) -> Provider {
        self.1.provider()
    }
    fn chunk(&self) -> usize {
        self.1.chunk()
    }
    fn settles_within(&self) -> SignedDuration {
        self.1.settles_within()
    }
    fn prepare(&self, container: &Container, items: &[Outgoing]) -> Prepared {
        self.1.prepare(container, items)
    }
    async fn deliver(&self, container: &Container, items: &[Outgoing]) -> Vec<Outcome> {
        self.0.step(self.1.deliver(container, items)).await
    }
    async fn reconcile(&self, entries: &[LedgerEntry]) -> Vec<Proof> {
        self.0.step(self.1.reconcile(entries)).await
    }
    async fn halt(&self) -> Result<usize, String> {
        self.1.halt().await
    }
    async fn health(&self) -> Result<(), String> {
        self.1.health().await
    }
}

/// Runs until the process ends at that step; `false` when the run has fewer steps.
async fn run_until(world: &World, batch: &Batch, death: &Arc<Death>, name: &str) -> bool {
    let channel: Arc<dyn Channel> = world.channel.clone();
    let channel: Arc<dyn Channel> = Arc::new(Mortal(Arc::clone(death), channel));
    let operator = Operator {
        store: Arc::new(Mortal(Arc::clone(death), world.store.clone())),
        ..world.operator_with(name, channel)
    };
    tokio::select! {
        _ = operator.execute(&batch.id, Motion::Outbound) => {}
        () = death.died.notified() => {}
    }
    death.has_come()
}

/// The time of whoever died is over.
async fn later(world: &World, batch: &Batch) {
    world.clock.advance(SignedDuration::from_secs(61));
    // Where the store keeps the time, its locks and leases end by hand.
    let lease = caio_dispatch::records::executor_lease(&batch.id);
    let locks = ["outbound", "all"].map(|name| Key::new(&["locks", "operator", name]));
    let ends = [lease].into_iter().chain(locks);
    let ends = ends.map(caio_state::Write::Delete).collect();
    world.commit(ends).await;
}

/// Everybody has one message, or is approved and offered again; the ledger knows which.
async fn nobody_twice_nobody_lost(world: &World, batch: &Batch, what: &str) {
    let mut copies: BTreeMap<String, usize> = BTreeMap::new();
    for received in world.received() {
        *copies.entry(received).or_default() += 1;
    }
    assert!(copies.values().all(|n| *n == 1), "{what}: {copies:?}");
    let plan = plan::plan(&*world.store, &World::request()).await.unwrap();
    let offered = plan.offered.len();
    assert_eq!(copies.len() + offered, PEOPLE, "{what}: {copies:?}");
    let entries = ledger::of_batch(&*world.store, &batch.id).await.unwrap();
    let accepted = entries
        .iter()
        .filter(|it| it.state == DeliveryState::Accepted);
    assert_eq!(accepted.count(), copies.len(), "{what}");
    let open = [DeliveryState::Intended, DeliveryState::Unknown];
    assert!(!entries.iter().any(|it| open.contains(&it.state)), "{what}");
}

/// Each step of a run is the last one of its process, then each step of the run that follows.
async fn every_step(chunk: usize, worlds: impl Fn() -> Vec<World>, second: &[usize]) -> usize {
    let mut deaths = 0;
    for after in [false, true] {
        for step in 1.. {
            let mut reached = false;
            for again in [0].iter().chain(second) {
                for world in worlds() {
                    let batch = world.approved(PEOPLE).await;
                    let what = format!(
                        "{} chunk {chunk}, step {step} ({after}), {again}",
                        world.store
                    );
                    let died = run_until(&world, &batch, &Death::at(step, after), "one").await;
                    reached |= died;
                    if died {
                        deaths += 1;
                        later(&world, &batch).await;
                    }
                    if *again > 0 && died {
                        let death = Death::at(*again, !after);
                        run_until(&world, &batch, &death, "two").await;
                        later(&world, &batch).await;
                    }
                    let status = caio_dispatch::batches::one(&*world.store, &batch.id).await;
                    let open = [BatchStatus::Approved, BatchStatus::Executing];
                    if open.contains(&status.unwrap().status) {
                        world
                            .run(&batch)
                            .await
                            .unwrap_or_else(|error| panic!("{what}: {error}"));
                    }
                    nobody_twice_nobody_lost(&world, &batch, &what).await;
                }
            }
            if !reached {
                break;
            }
        }
    }
    deaths
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_ends_at_any_step_sends_nothing_twice_and_loses_nobody() {
    let mut deaths = 0;
    for chunk in [1, 2] {
        let ours = || vec![worlds_with_our_time(chunk).remove(0)];
        deaths += every_step(chunk, ours, &[1, 4, 9, 14]).await;
    }
    println!("{deaths} deaths in memory");
    assert!(deaths > 400, "{deaths}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_over_every_store() {
    let deaths = every_step(2, || worlds(2), &[]).await;
    println!("{deaths} deaths over all stores");
    assert!(deaths > 100, "{deaths}");
}
