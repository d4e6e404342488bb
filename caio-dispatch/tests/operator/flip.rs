//! The kill switch reaches a run of a thousand: no claim commits after the flip, and the calls under way,
//! at most one a permit, are the last ones.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use caio_core::batch::BatchStatus;
use caio_core::limits::LimitPolicy;
use caio_core::safety::StopFlag;
use caio_core::terms::{Motion, Provider};
use caio_dispatch::channel::{
    Channel, Container, Outcome, Outgoing, Prepared, Proof, RecordingChannel,
};
use caio_dispatch::coexist::PythonLocks;
use caio_dispatch::ledger::{self, DeliveryState, LedgerEntry};
use caio_dispatch::operator::{Brake, Gate, Operator, Permits};
use caio_dispatch::plan;
use caio_state::conformance::TestIds;
use caio_state::stop::{self, Stop};
use caio_state::{CommitOutcome, Key, StateStore, StateStoreExt, StoreError, Txn, Write};
use jiff::SignedDuration;

use crate::world::inputs;
use crate::wrapped::{Between, Wrapped};
use crate::{World, worlds};

const PEOPLE: usize = 1000;
const PERMITS: usize = 8;
/// The call in which the switch is flipped.
const AT: usize = 100;

/// What is flipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Switch {
    Environment,
    File,
    FileUnreadable,
    Flag,
    FlagUnreadable,
    StoreAway,
}

impl Switch {
    /// Those that a person flips.
    const ALL: [Self; 5] = [
        Self::Environment,
        Self::File,
        Self::FileUnreadable,
        Self::Flag,
        Self::FlagUnreadable,
    ];

    /// Guards every claim in the store itself.
    const fn is_guard(self) -> bool {
        matches!(self, Self::Flag | Self::FlagUnreadable)
    }
}

#[derive(Debug)]
struct TestBrake(Mutex<(Option<String>, StopFlag)>);

impl Brake for TestBrake {
    fn environment(&self) -> Option<String> {
        self.0.lock().unwrap().0.clone()
    }
    fn file(&self) -> StopFlag {
        self.0.lock().unwrap().1
    }
}

/// Counts the claims that were sent after the flip and committed; the store may be away.
#[derive(Debug, Default)]
struct Counting {
    flipped: AtomicBool,
    claims: AtomicUsize,
    is_away: AtomicBool,
}

impl Counting {
    fn is_there(&self) -> Result<(), StoreError> {
        if !self.is_away.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(StoreError::Unavailable {
            backend: "away",
            reason: "the store is away".to_owned(),
            source: None,
        })
    }
}

#[async_trait]
impl Between for Counting {
    async fn read(&self) -> Result<(), StoreError> {
        self.is_there()
    }
    async fn commit(
        &self,
        store: &dyn StateStore,
        txns: &[Txn],
    ) -> Result<Vec<CommitOutcome>, StoreError> {
        self.is_there()?;
        let flipped = self.flipped.load(Ordering::SeqCst);
        let outcomes = store.commit_many(txns).await?;
        let claims = txns.iter().zip(&outcomes).filter(|(txn, outcome)| {
            let touch = |write: &Write| matches!(write, Write::Put { key, .. } if key.as_str().starts_with("caio:touch:"));
            **outcome == CommitOutcome::Committed && txn.writes.iter().any(touch)
        });
        self.claims
            .fetch_add(claims.count() * usize::from(flipped), Ordering::SeqCst);
        Ok(outcomes)
    }
}

/// Flips the switch in the midst of a call.
#[derive(Debug)]
struct Flipping {
    inner: Arc<RecordingChannel>,
    store: Arc<dyn StateStore>,
    ids: Arc<TestIds>,
    batch: String,
    switch: Switch,
    brake: Arc<TestBrake>,
    counting: Arc<Counting>,
    calls: AtomicUsize,
    /// Ledger entries right after the flip.
    entries: AtomicUsize,
}

impl Flipping {
    async fn flip(&self) {
        let flag = Stop {
            by: "ann".to_owned(),
            at: String::new(),
            reason: String::new(),
        };
        let garbage = Write::Put {
            key: stop::key(),
            value: b"\xff".to_vec(),
            expires_in: None,
        };
        let brake = |is: (Option<&str>, StopFlag)| {
            *self.brake.0.lock().unwrap() = (is.0.map(str::to_owned), is.1);
        };
        let commit = |write| stop::commit(&*self.store, &*self.ids, vec![write]);
        match self.switch {
            Switch::Environment => brake((Some("true"), StopFlag::Clear)),
            Switch::File => brake((None, StopFlag::Set)),
            Switch::FileUnreadable => brake((None, StopFlag::Unreadable)),
            Switch::Flag => commit(stop::set(&flag)).await.unwrap(),
            Switch::FlagUnreadable => commit(garbage).await.unwrap(),
            Switch::StoreAway => self.counting.is_away.store(true, Ordering::SeqCst),
        }
        self.counting.flipped.store(true, Ordering::SeqCst);
        let entries = ledger::of_batch(&*self.store, &self.batch).await.unwrap();
        self.entries.store(entries.len(), Ordering::SeqCst);
    }
}

impl std::fmt::Display for Flipping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "flipping {}", self.inner)
    }
}

#[async_trait]
impl Channel for Flipping {
    fn provider(&self) -> Provider {
        self.inner.provider()
    }
    fn chunk(&self) -> usize {
        self.inner.chunk()
    }
    fn settles_within(&self) -> SignedDuration {
        self.inner.settles_within()
    }
    fn prepare(&self, container: &Container, items: &[Outgoing]) -> Prepared {
        self.inner.prepare(container, items)
    }
    async fn deliver(&self, container: &Container, items: &[Outgoing]) -> Vec<Outcome> {
        if self.calls.fetch_add(1, Ordering::SeqCst) + 1 == AT {
            self.flip().await;
        }
        self.inner.deliver(container, items).await
    }
    async fn reconcile(&self, entries: &[LedgerEntry]) -> Vec<Proof> {
        self.inner.reconcile(entries).await
    }
    async fn halt(&self) -> Result<usize, String> {
        self.inner.halt().await
    }
    async fn health(&self) -> Result<(), String> {
        self.inner.health().await
    }
}

/// The Python system's record of the day names exactly whom we wrote to, and its locks are free.
async fn python_was_told(world: &World, sent: &BTreeSet<String>, what: &str) {
    let key = Key::new(&["operator", "state", &world.today().to_string()]);
    let (record, _): (serde_json::Value, _) = world.store.get_json(&key).await.unwrap().unwrap();
    assert_eq!(record["outbound_email_dispatched"], sent.len(), "{what}");
    let people = record["leads_dispatched"].as_array().unwrap();
    let people: Vec<String> = people
        .iter()
        .map(|it| it.as_str().unwrap().replace("email:", ""))
        .collect();
    assert_eq!(people.len(), sent.len(), "{what}: named once each");
    assert_eq!(&people.into_iter().collect::<BTreeSet<_>>(), sent, "{what}");
    let (store, ids) = (&*world.store, &*world.ids);
    let minute = SignedDuration::from_secs(60);
    let free = PythonLocks::take(store, ids, Motion::Outbound, "test", minute).await;
    free.unwrap().release(store, ids).await.unwrap();
}

/// A run of a thousand with its switch.
async fn run_of_a_thousand(world: &World, switch: Switch) -> (String, Arc<Flipping>, Operator) {
    world.fill(PEOPLE).await;
    let batch = world.batch_of(1000).await;
    let brake = Arc::new(TestBrake(Mutex::new((None, StopFlag::Clear))));
    let counting = Arc::new(Counting::default());
    let channel = Arc::new(Flipping {
        inner: world.channel.clone(),
        store: world.store.clone(),
        ids: world.ids.clone(),
        batch: batch.id.clone(),
        switch,
        brake: brake.clone(),
        counting: counting.clone(),
        calls: AtomicUsize::default(),
        entries: AtomicUsize::default(),
    });
    let operator = Operator {
        store: Wrapped::new(&world.store, &counting),
        gate: Gate {
            inputs: inputs(),
            brake,
        },
        limits: unlimited(),
        permits: Permits::new(PERMITS),
        ..world.operator_with("one", channel.clone())
    };
    (batch.id, channel, operator)
}

async fn flipped_in_mid_run(world: &World, switch: Switch) {
    let what = format!("{} {switch:?}", world.store);
    let (batch, channel, operator) = run_of_a_thousand(world, switch).await;
    let report = operator.execute(&batch, Motion::Outbound).await.unwrap();
    assert_eq!(report.status, BatchStatus::Partial, "{what}");
    let reason = report.stopped.unwrap();
    assert!(
        reason.contains("emergency stop") || reason.contains("stop flag"),
        "{what}: {reason}"
    );

    assert_eq!(
        channel.counting.claims.load(Ordering::SeqCst),
        0,
        "{what}: claims after the flip"
    );
    let calls = channel.calls.load(Ordering::SeqCst);
    assert!((AT..AT + PERMITS).contains(&calls), "{what}: {calls} calls");
    let entries = ledger::of_batch(&*world.store, &batch).await.unwrap();
    if switch.is_guard() {
        let before = channel.entries.load(Ordering::SeqCst);
        assert_eq!(entries.len(), before, "{what}: the flag guards each claim");
    }
    assert!(
        entries.len() <= calls + 2 * PERMITS,
        "{what}: claims go {} ahead",
        entries.len() - calls
    );

    // Whoever was called has it once; what was claimed for others is given back.
    let received = world.channel.received();
    let sent: BTreeSet<String> = received.iter().map(|(_, it)| it.to.clone()).collect();
    assert_eq!((received.len(), sent.len()), (calls, calls), "{what}");
    for entry in &entries {
        let state = if sent.contains(entry.item.recipient.as_str()) {
            DeliveryState::Accepted
        } else {
            DeliveryState::NotSent
        };
        assert_eq!(entry.state, state, "{what}");
    }
    python_was_told(world, &sent, &what).await;
    stop::commit(&*world.store, &*world.ids, vec![stop::clear()])
        .await
        .unwrap();
    let request = plan::PlanRequest {
        room: 1000,
        ..World::request()
    };
    let plan = plan::plan(&*world.store, &request).await.unwrap();
    assert_eq!(
        plan.offered.len(),
        PEOPLE - calls,
        "{what}: stays approvable"
    );
}

/// No window stands in the way of a thousand.
pub(crate) fn unlimited() -> LimitPolicy {
    LimitPolicy {
        email_per_day: 1_000_000,
        email_per_hour: None,
        email_per_domain_hour: None,
        email_per_month: None,
        per_campaign: None,
        ..LimitPolicy::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenario_24_a_flip_in_a_run_of_a_thousand_ends_the_claims_and_hears_out_one_call_a_permit()
{
    for switch in Switch::ALL {
        for world in worlds(1) {
            flipped_in_mid_run(&world, switch).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_goes_away_in_mid_run_stops_it_like_a_flip() {
    for world in worlds(1) {
        let (batch, channel, operator) = run_of_a_thousand(&world, Switch::StoreAway).await;
        let failed = operator
            .execute(&batch, Motion::Outbound)
            .await
            .unwrap_err();
        assert!(failed.to_string().contains("the store is away"), "{failed}");
        let calls = channel.calls.load(Ordering::SeqCst);
        assert!((AT..AT + PERMITS).contains(&calls), "{calls} calls");

        // The next run finds out what the providers have, and writes to nobody twice.
        channel.counting.is_away.store(false, Ordering::SeqCst);
        world.clock.advance(SignedDuration::from_secs(61));
        let locks = ["outbound", "all"].map(|name| Key::new(&["locks", "operator", name]));
        let lease = caio_dispatch::records::executor_lease(&batch);
        let ends = locks.into_iter().chain([lease]).map(Write::Delete);
        world.commit(ends.collect()).await;
        let report = operator.execute(&batch, Motion::Outbound).await.unwrap();
        let received = world.channel.received();
        let sent: BTreeSet<&str> = received.iter().map(|(_, it)| it.to.as_str()).collect();
        assert_eq!(received.len(), sent.len(), "nobody twice");
        let accepted = report.items.iter().filter(|it| it.state == "accepted");
        let not_sent = report.items.iter().filter(|it| it.state == "not_sent");
        assert_eq!(accepted.count(), sent.len());
        assert_eq!(sent.len() + not_sent.count(), PEOPLE, "nobody is lost");
    }
}
