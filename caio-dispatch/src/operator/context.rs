//! A run in progress: what its effects share, and how they are performed, many at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use caio_core::EmailKey;
use caio_core::batch::{Batch, BatchItem, ItemOutcome};
use caio_core::terms::Step;
use caio_state::{Guard, Held, Lease};
use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;

use super::kill::{self, Point};
use super::report::{RunReport, report};
use super::runner::{Operator, blocked};
use super::step::{Effect, Event, Lane, Run, Slot, step};
use super::{claim, record};
use crate::channel::{Container, Outcome, Outgoing};
use crate::coexist::PythonLocks;
use crate::error::Result;
use crate::{ledger, records};

/// How often a run that waits looks whether it was stopped.
const LOOK: Duration = Duration::from_millis(200);

/// A run in progress: what the effects share.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) operator: &'a Operator,
    pub(super) batch: Batch,
    pub(super) run: String,
    pub(super) held: Held,
    /// The Python system's locks, while it runs beside us.
    pub(super) locks: Option<PythonLocks>,
    /// Holds while it is us who send for this motion; absent where nothing is sent.
    pub(super) authority: Option<Guard>,
    /// Held by whoever changes what the Python system reads as well, or relies on it.
    pub(super) beside: tokio::sync::Mutex<()>,
    /// Positions in `batch.items`, in the order of delivery.
    order: Vec<usize>,
    /// Where items go: one name for the whole run, also past midnight.
    lanes: Vec<Lane>,
    /// The lane of each slot.
    lane_of: Vec<usize>,
    /// What each claimed item will say, by slot; never more than are claimed ahead.
    outgoing: Mutex<HashMap<usize, Outgoing>>,
    /// Who was claimed in this run, but for those who certainly were not written to.
    claimed: Mutex<HashSet<EmailKey>>,
    /// The run is broken, see [`Run::is_broken`].
    broken: AtomicBool,
    /// Limit windows that were full.
    full: Mutex<BTreeSet<String>>,
    /// When the run began, by our clock.
    began: Timestamp,
    /// When the lease was last prolonged, by our clock.
    prolonged: Mutex<Timestamp>,
    /// Held by whoever prolongs it.
    prolonging: tokio::sync::Mutex<()>,
}

impl<'a> Context<'a> {
    /// A run over a batch that this executor holds; it can ask and record, and claims nothing yet.
    pub(super) fn new(operator: &'a Operator, batch: Batch, run: String, held: Held) -> Self {
        let mut order: Vec<usize> = (0..batch.items.len()).collect();
        // Each container's together.
        order.sort_by_key(|position| {
            let item = &batch.items[*position];
            (
                item.provider,
                item.tier,
                item.step,
                item.pool.clone(),
                *position,
            )
        });
        let mut lanes: Vec<Lane> = Vec::new();
        let mut lane_of = Vec::with_capacity(order.len());
        let mut step = Step::FIRST;
        for position in &order {
            let item = &batch.items[*position];
            let same = |lane: &Lane| {
                let Container {
                    provider,
                    pool,
                    tier,
                    ..
                } = &lane.container;
                (*provider, pool, *tier) == (item.provider, &item.pool, item.tier)
            };
            if item.step != step || !lanes.last().is_some_and(same) {
                lanes.push(operator.lane(item, &batch.digest));
            }
            step = item.step;
            lane_of.push(lanes.len() - 1);
        }
        Self {
            began: operator.clock.now(),
            prolonged: Mutex::new(operator.clock.now()),
            prolonging: tokio::sync::Mutex::default(),
            operator,
            batch,
            run,
            held,
            locks: None,
            authority: None,
            beside: tokio::sync::Mutex::default(),
            order,
            lanes,
            lane_of,
            outgoing: Mutex::default(),
            claimed: Mutex::default(),
            broken: AtomicBool::new(false),
            full: Mutex::default(),
        }
    }

    /// How many items there are.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// The item of a slot.
    pub(super) fn item(&self, slot: usize) -> &BatchItem {
        &self.batch.items[self.order[slot]]
    }

    /// Which lane a slot is in.
    pub(super) fn lane(&self, slot: usize) -> usize {
        self.lane_of[slot]
    }

    /// Where the item of a slot goes.
    pub(super) fn container(&self, slot: usize) -> &Container {
        &self.lanes[self.lane_of[slot]].container
    }

    /// The ledger id of a slot's item.
    pub(super) fn delivery(&self, slot: usize) -> String {
        ledger::delivery_id(&self.batch.id, self.item(slot))
    }

    /// The day, in the business time zone.
    pub(super) fn today(&self) -> jiff::civil::Date {
        let operator = self.operator;
        operator.clock.now().to_zoned(operator.zone.clone()).date()
    }

    /// Keeps what a claimed item will say until it is handed over, and to whom.
    pub(super) fn keep(&self, slot: usize, outgoing: Outgoing) {
        let mut kept = self.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(slot, outgoing);
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        claimed.insert(self.item(slot).recipient.clone());
    }

    /// Whether a message to this person was claimed in this run, and is or may be out.
    pub(super) fn has_claimed(&self, person: &EmailKey) -> bool {
        let claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        claimed.contains(person)
    }

    fn taken(&self, slots: &[usize]) -> Vec<Outgoing> {
        let mut kept = self.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        slots.iter().filter_map(|slot| kept.remove(slot)).collect()
    }

    /// A run over `slots`.
    pub(super) fn machine(&self, slots: Vec<Slot>) -> Run {
        Run::new(self.lanes.clone(), slots, self.operator.permits.count())
    }

    /// Performs what [`step`] asks for until nothing is under way. The lease is prolonged beside it,
    /// however long the providers take.
    pub(super) async fn drive(&self, mut run: Run) -> Run {
        let mut under_way = FuturesUnordered::new();
        let mut lost = pin!(self.prolong_always());
        let mut is_ours = true;
        let mut event = Event::Start;
        loop {
            let (next, effects) = step(run, event);
            run = next;
            self.broken.fetch_or(run.is_broken(), Ordering::SeqCst);
            under_way.extend(effects.into_iter().map(|effect| self.perform(effect)));
            let answered = if is_ours {
                match select(lost.as_mut(), under_way.next()).await {
                    Either::Left((reason, _)) => {
                        is_ours = false;
                        Some(Event::Lost(reason))
                    }
                    Either::Right((answered, _)) => answered,
                }
            } else {
                under_way.next().await
            };
            match answered {
                Some(answered) => event = answered,
                None => return run,
            }
        }
    }

    async fn perform(&self, effect: Effect) -> Event {
        let answer = match effect {
            Effect::ClaimBatch => claim::batch(self).await,
            Effect::Claim(slots) => claim::items(self, &slots).await,
            Effect::Deliver(lane, slots) => self.deliver(lane, slots).await,
            Effect::Record(outcomes) => self.record(&outcomes).await,
            Effect::Settle(outcomes) => self.settle(&outcomes).await,
            Effect::Wait(until) => Ok(self.wait(until).await),
        };
        answer.unwrap_or_else(|error| Event::StoreFailed(error.to_string()))
    }

    async fn deliver(&self, lane: usize, slots: Vec<usize>) -> Result<Event> {
        // Held until the provider has answered: no more calls than permits, whatever runs.
        let _permit = self.operator.permits.one().await;
        let items = self.taken(&slots);
        let operator = self.operator;
        loop {
            if let Err(lost) = self.prolong().await {
                return Ok(Event::StoreFailed(lost));
            }
            if let Some(reason) = blocked(&operator.gate.verdict(&*operator.store).await) {
                return Ok(Event::Withheld(slots, reason));
            }
            // The answer may have come late.
            if self.is_fresh() {
                break;
            }
        }
        let container = &self.lanes[lane].container;
        let Some(channel) = operator.channels.get(&container.provider) else {
            let reason = format!("there is no channel for {}", container.provider);
            return Ok(Event::Withheld(slots, reason));
        };
        kill::reach(Point::BeforeCall);
        let outcomes = channel.deliver(container, &items).await;
        kill::reach(Point::AfterAnswer);
        Ok(Event::Delivered(slots, outcomes))
    }

    async fn record(&self, outcomes: &[(usize, Outcome)]) -> Result<Event> {
        record::outcomes(self, outcomes).await?;
        kill::reach(Point::AfterRecord);
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        for (slot, outcome) in outcomes {
            if matches!(outcome, Outcome::NotSent { .. }) {
                claimed.remove(&self.item(*slot).recipient);
            }
        }
        let slots = outcomes.iter().map(|(slot, _)| *slot);
        Ok(Event::Recorded(slots.collect()))
    }

    /// Waits until then, and looks now and then whether anything may still go out: the next claim says so.
    /// A run that is broken has nothing to wait for.
    async fn wait(&self, until: Timestamp) -> Event {
        loop {
            let left = until.duration_since(self.operator.clock.now());
            let verdict = self.operator.gate.verdict(&*self.operator.store).await;
            let is_over = !left.is_positive() || self.broken.load(Ordering::SeqCst);
            if is_over || blocked(&verdict).is_some() {
                return Event::Waited;
            }
            tokio::time::sleep(left.unsigned_abs().min(LOOK)).await;
        }
    }

    /// Whether the claims may wait until then: all pauses of a run together have an end, and the batch
    /// is still approved then.
    pub(super) fn may_wait(&self, until: Timestamp) -> bool {
        until.duration_since(self.began) <= self.operator.patience
            && self.batch.check_expiry(until).is_ok()
    }

    /// Gives the batch its final status.
    pub(super) async fn settle(&self, outcomes: &[ItemOutcome]) -> Result<Event> {
        kill::reach(Point::BeforeSettle);
        let drafts = self
            .order
            .iter()
            .map(|at| self.batch.items[*at].draft.clone());
        let outcomes: BTreeMap<String, ItemOutcome> =
            drafts.zip(outcomes.iter().copied()).collect();
        record::settle(self, &outcomes).await?;
        kill::reach(Point::AfterSettle);
        Ok(Event::Settled)
    }

    /// Prolongs the lease, and the Python system's locks, at a third of their time, for ever; the
    /// reason when they are no longer ours.
    async fn prolong_always(&self) -> String {
        let third = self.operator.lease.unsigned_abs() / 3;
        loop {
            tokio::time::sleep(third.max(Duration::from_millis(1))).await;
            let _alone = self.prolonging.lock().await;
            if let Err(reason) = self.prolong_now().await {
                return reason;
            }
        }
    }

    /// Sees to it that most of the lease's time is left before a call: a process that was paused finds
    /// out here that somebody else has taken over.
    async fn prolong(&self) -> Result<(), String> {
        let _alone = self.prolonging.lock().await;
        if self.is_fresh() {
            return Ok(());
        }
        self.prolong_now().await
    }

    /// Most of the lease's time is left. A clock that was set back says nothing.
    fn is_fresh(&self) -> bool {
        let prolonged = *self
            .prolonged
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let age = self.operator.clock.now().duration_since(prolonged);
        !age.is_negative() && age < self.operator.lease / 4
    }

    async fn prolong_now(&self) -> Result<(), String> {
        let operator = self.operator;
        let (store, ids) = (&*operator.store, &*operator.ids);
        let now = operator.clock.now();
        let lease = Lease::new(records::executor_lease(&self.batch.id));
        let renewed = lease.renew(store, ids, &self.held, operator.lease).await;
        if !renewed.map_err(|error| error.to_string())? {
            return Err("the executor's lease was lost".to_owned());
        }
        if let Some(locks) = &self.locks {
            let _beside = self.beside.lock().await;
            let kept = locks.prolong(store, ids).await;
            if !kept.map_err(|error| error.to_string())? {
                return Err("the Python system's lock was lost".to_owned());
            }
        }
        *self
            .prolonged
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = now;
        Ok(())
    }

    /// Remembers that a limit window was full.
    pub(super) fn full(&self, window: &str) {
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        full.insert(window.to_owned());
    }

    /// What became of every item.
    pub(super) async fn report(&self, run: &Run) -> Result<RunReport> {
        let store = &*self.operator.store;
        let batch = crate::batches::one(store, &self.batch.id).await?;
        let items = (0..self.len()).map(|slot| self.item(slot));
        let full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(report(self.run.clone(), &batch, run, full.clone(), items))
    }
}
