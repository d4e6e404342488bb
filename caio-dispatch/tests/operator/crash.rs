//! The process ends at every step of a run, one after the other: nobody is written to twice, nobody
//! is lost.
//!
//! A step is a call of the store or of the channel. Each one is cut three times: before it has its
//! effect, after it while the answer is still on its way, and, where several commits are sent together,
//! in their midst. Calls overlap, so what else was under way is cut wherever it was. What follows is a new
//! process: another executor, once the lease of the first has ended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use caio_core::batch::{Batch, BatchStatus};
use caio_core::terms::{Motion, Provider};
use caio_dispatch::channel::{Channel, Container, Outcome, Outgoing, Prepared, Proof};
use caio_dispatch::ledger::{self, DeliveryState, LedgerEntry};
use caio_dispatch::operator::{Operator, Permits};
use caio_dispatch::plan;
use caio_state::{CommitOutcome, Key, StateStore, StoreError, Txn};
use jiff::SignedDuration;
use tokio::sync::Notify;

use crate::wrapped::{Between, Wrapped};
use crate::{World, worlds, worlds_with_our_time};

const PEOPLE: usize = 4;

/// How far the last step gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Before,
    Amid,
    After,
}

/// Where the process ends.
#[derive(Debug)]
struct Death {
    /// Steps that are left.
    left: AtomicUsize,
    cut: Cut,
    died: Notify,
}

impl Death {
    fn at(step: usize, cut: Cut) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicUsize::new(step),
            cut,
            died: Notify::new(),
        })
    }

    /// Makes a step, or never returns.
    async fn step<T>(&self, step: impl Future<Output = T>) -> T {
        if !self.is_last() {
            return step.await;
        }
        if self.cut != Cut::Before {
            step.await;
        }
        self.die().await
    }

    fn is_last(&self) -> bool {
        let count = |left: usize| Some(left.saturating_sub(1));
        let left = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, count);
        left == Ok(1)
    }

    async fn die(&self) -> ! {
        self.died.notify_one();
        std::future::pending::<()>().await;
        unreachable!()
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
impl Between for Death {
    async fn read(&self) -> Result<(), StoreError> {
        if self.is_last() && self.cut == Cut::Before {
            self.die().await;
        }
        Ok(())
    }
    async fn commit(
        &self,
        store: &dyn StateStore,
        txns: &[Txn],
    ) -> Result<Vec<CommitOutcome>, StoreError> {
        if !self.is_last() {
            return store.commit_many(txns).await;
        }
        let done = match self.cut {
            Cut::Before => 0,
            Cut::Amid => txns.len().div_ceil(2),
            Cut::After => txns.len(),
        };
        store.commit_many(&txns[..done]).await?;
        self.die().await
    }
    async fn after(&self) {
        if self.has_come() {
            self.die().await;
        }
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
async fn run_until(world: &World, batch: &Batch, death: &Arc<Death>, (name, permits): Who) -> bool {
    let channel: Arc<dyn Channel> = world.channel.clone();
    let channel: Arc<dyn Channel> = Arc::new(Mortal(Arc::clone(death), channel));
    let operator = Operator {
        store: Wrapped::new(&world.store, death),
        permits: Permits::new(permits),
        ..world.operator_with(name, channel)
    };
    tokio::select! {
        _ = operator.execute(&batch.id, Motion::Outbound) => {}
        () = death.died.notified() => {}
    }
    death.has_come()
}

/// An executor's name, and how many calls it makes at one time.
type Who = (&'static str, usize);

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

/// Everybody has one message, of the batch that was approved: also who was claimed and not written to when
/// the process ended. The ledger knows it.
async fn nobody_twice_nobody_lost(world: &World, batch: &Batch, what: &str) {
    let mut copies: BTreeMap<String, usize> = BTreeMap::new();
    for received in world.received() {
        *copies.entry(received).or_default() += 1;
    }
    assert!(copies.values().all(|n| *n == 1), "{what}: {copies:?}");
    let plan = plan::plan(&*world.store, &World::request()).await.unwrap();
    assert_eq!(plan.offered, [], "{what}: nobody is left");
    assert_eq!(copies.len(), PEOPLE, "{what}: {copies:?}");
    let entries = ledger::of_batch(&*world.store, &batch.id).await.unwrap();
    let accepted = entries
        .iter()
        .filter(|it| it.state == DeliveryState::Accepted);
    assert_eq!(accepted.count(), copies.len(), "{what}");
    let open = [DeliveryState::Intended, DeliveryState::Unknown];
    assert!(!entries.iter().any(|it| open.contains(&it.state)), "{what}");
}

/// Each step of a run is the last one of its process, then each step of the run that follows.
async fn every_step(permits: usize, worlds: impl Fn() -> Vec<World>, second: &[usize]) -> usize {
    let mut deaths = 0;
    for cut in [Cut::Before, Cut::Amid, Cut::After] {
        for step in 1.. {
            let mut reached = false;
            for again in [0].iter().chain(second) {
                for world in worlds() {
                    let batch = world.approved(PEOPLE).await;
                    let chunk = world.channel.chunk();
                    let what = format!(
                        "{} chunk {chunk}, permits {permits}, step {step} ({cut:?}), {again}",
                        world.store
                    );
                    let died =
                        run_until(&world, &batch, &Death::at(step, cut), ("one", permits)).await;
                    reached |= died;
                    if died {
                        deaths += 1;
                        later(&world, &batch).await;
                    }
                    if *again > 0 && died {
                        let death = Death::at(*again, cut);
                        run_until(&world, &batch, &death, ("two", permits)).await;
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
    for (chunk, permits, second) in [(2, 1, &[1, 4, 9, 14][..]), (1, 3, &[4, 11]), (2, 2, &[])] {
        let ours = || vec![worlds_with_our_time(chunk).remove(0)];
        deaths += every_step(permits, ours, second).await;
    }
    println!("{deaths} deaths in memory");
    assert!(deaths > 600, "{deaths}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_over_every_store() {
    let deaths = every_step(3, || worlds(1), &[]).await;
    println!("{deaths} deaths over all stores");
    assert!(deaths > 200, "{deaths}");
}
