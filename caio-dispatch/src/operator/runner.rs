//! Performs the effects that [`step`](super::step) asks for.

use std::collections::BTreeMap;
use std::sync::Arc;

use caio_core::batch::{Batch, BatchStatus, ItemOutcome, SealKeys};
use caio_core::limits::{LimitPolicy, RunLimit};
use caio_core::safety::{self, StopFlag, Verdict};
use caio_core::terms::{Motion, Provider, Tier};
use caio_core::{Clock, IdSource};
use caio_state::{Guard, Held, Lease, StateStore, StateStoreExt};
use jiff::SignedDuration;
use serde::Serialize;

use super::step::{Effect, Event, Run, Slot, SlotState, step};
use super::{claim, recover};
use crate::channel::{Channel, Container, Outcome, Outgoing};
use crate::coexist::followed::Watch;
use crate::coexist::{PythonLocks, authority};
use crate::error::{DispatchError, Result};
use crate::migrate::Migrate;
use crate::{coexist, ledger, records};

/// Asked before every provider call: everything that may forbid one.
#[derive(Debug, Clone)]
pub struct Gate {
    /// What configuration and environment say; the stop flag is read anew each time.
    pub inputs: safety::Inputs,
}

impl Gate {
    /// The verdict now; a stop flag that cannot be read counts as set.
    pub async fn verdict(&self, store: &dyn StateStore) -> Verdict {
        let mut inputs = self.inputs.clone();
        inputs.stop_flag = match caio_state::stop::read(store).await {
            Ok(None) => StopFlag::Clear,
            Ok(Some(_)) => StopFlag::Set,
            Err(_) => StopFlag::Unreadable,
        };
        safety::verdict(&inputs)
    }
}

/// Runs batches.
#[derive(Debug)]
pub struct Operator {
    /// The authority.
    pub store: Arc<dyn StateStore>,
    /// Who delivers.
    pub channels: BTreeMap<Provider, Arc<dyn Channel>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub ids: Arc<dyn IdSource>,
    /// Keys that verify the seal.
    pub keys: SealKeys,
    /// Asked before every call.
    pub gate: Gate,
    /// Limit windows.
    pub limits: LimitPolicy,
    /// What may go now: an item has to be of each of these tiers.
    pub tiers: Vec<Tier>,
    /// At most so many in one run.
    pub run_limit: Option<RunLimit>,
    /// Business time zone: what a day and a month are.
    pub zone: jiff::tz::TimeZone,
    /// Name of this executor, shown to whom it keeps out.
    pub holder: String,
    /// How long the executor's lease, and the Python system's locks, live without renewal.
    pub lease: SignedDuration,
    /// The Python system runs beside us on this store: it is kept out, asked and told, and its folder
    /// is followed.
    pub coexist: Option<Watch>,
}

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemReport {
    /// The draft.
    pub draft: String,
    /// To whom.
    pub recipient: String,
    /// `accepted`, `rejected`, `not_sent`, `unknown`, `refused` or `waiting`.
    pub state: &'static str,
    /// Receipt or reason.
    pub detail: String,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunReport {
    /// Run id.
    pub run: String,
    /// Batch.
    pub batch: String,
    /// Status of the batch afterwards.
    pub status: BatchStatus,
    /// Why the run ended early, if it did.
    pub stopped: Option<String>,
    /// Every item.
    pub items: Vec<ItemReport>,
}

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
    /// Positions in `batch.items`, in the order of delivery.
    pub(super) order: Vec<usize>,
    /// What each claimed item will say, by slot.
    pub(super) outgoing: BTreeMap<usize, Outgoing>,
}

impl Operator {
    /// Executes `batch` if it is approved, sealed, unexpired and nobody else's; finishes it if a
    /// run of it was interrupted.
    ///
    /// # Errors
    /// [`DispatchError::Refused`] with `dispatch.blocked` when the verdict forbids it, with
    /// `lease.held` when another executor runs it; refusals of the batch itself; store failures.
    pub async fn execute(&self, batch: &str, motion: Motion) -> Result<RunReport> {
        let verdict = self.gate.verdict(&*self.store).await;
        if let Some(reason) = blocked(&verdict) {
            return Err(DispatchError::Refused {
                code: "dispatch.blocked",
                reason,
            });
        }
        let held = self.take(batch).await?;
        let report = self.run_alone(batch, motion, held.clone()).await;
        self.give_back(batch, &held).await?;
        report
    }

    /// Takes the executor's lease of a batch.
    pub(super) async fn take(&self, batch: &str) -> Result<Held> {
        let lease = Lease::new(records::executor_lease(batch));
        let (store, ids) = (&*self.store, &*self.ids);
        let taken = lease.acquire(store, ids, &self.holder, "execute", self.lease);
        taken.await?.map_err(|holder| DispatchError::Refused {
            code: "lease.held",
            reason: format!("batch `{batch}` is being executed by {holder}"),
        })
    }

    /// Gives it back, however the run went: whoever comes next finishes what was left.
    pub(super) async fn give_back(&self, batch: &str, held: &Held) -> Result<()> {
        let lease = Lease::new(records::executor_lease(batch));
        lease.release(&*self.store, &*self.ids, held).await?;
        Ok(())
    }

    /// Keeps the Python system out for as long as the run takes.
    async fn run_alone(&self, batch: &str, motion: Motion, held: Held) -> Result<RunReport> {
        if self.coexist.is_none() {
            return self.run_fenced(batch, motion, held, None).await;
        }
        let (store, ids) = (&*self.store, &*self.ids);
        let locks = PythonLocks::take(store, ids, motion, &self.holder, self.lease).await?;
        let report = self
            .run_fenced(batch, motion, held, Some(locks.clone()))
            .await;
        locks.release(store, ids).await?;
        report
    }

    async fn run_fenced(
        &self,
        id: &str,
        motion: Motion,
        held: Held,
        locks: Option<PythonLocks>,
    ) -> Result<RunReport> {
        let Some((batch, _)) = self.store.get_json::<Batch>(&records::batch(id)).await? else {
            return Err(DispatchError::NotFound {
                what: "batch",
                id: id.to_owned(),
            });
        };
        let run = match (&batch.execution, batch.status) {
            (Some(execution), BatchStatus::Executing) => execution.run.clone(),
            _ => {
                batch.validate(motion, &self.keys, self.clock.now())?;
                format!("run_{}", self.ids.id())
            }
        };
        let two = self.coexist.is_some();
        let authority = authority::ours(&*self.store, batch.motion, two).await?;
        self.follow().await?;
        let order = order(&batch);
        let mut context = Context {
            operator: self,
            batch,
            run,
            held,
            locks,
            authority: Some(authority),
            order,
            outgoing: BTreeMap::new(),
        };
        let slots = recover::slots(&context).await?;
        let machine = context.drive(Run::new(slots, self.chunk())).await;
        context.report(&machine).await
    }

    /// Takes in what only the Python system's folder knows, before anybody is written to.
    pub(super) async fn follow(&self) -> Result<()> {
        let Some(watch) = &self.coexist else {
            return Ok(());
        };
        watch
            .before_claim(&Migrate {
                store: &*self.store,
                clock: &*self.clock,
                ids: &*self.ids,
                by: &self.holder,
                dry_run: false,
            })
            .await
    }

    pub(super) fn chunk(&self) -> usize {
        self.channels
            .values()
            .map(|channel| channel.chunk())
            .min()
            .unwrap_or(1)
    }
}

impl Context<'_> {
    /// Where the item of a slot goes.
    pub(super) fn container(&self, slot: usize) -> Container {
        let item = &self.batch.items[self.order[slot]];
        let day = self
            .operator
            .clock
            .now()
            .to_zoned(jiff::tz::TimeZone::UTC)
            .date();
        Container {
            name: caio_core::requests::campaign_name(item.tier, day, &self.batch.digest),
            provider: item.provider,
            pool: item.pool.clone(),
            tier: item.tier,
        }
    }

    async fn drive(&mut self, mut run: Run) -> Run {
        let mut event = Event::Start;
        loop {
            let (next, effects) = step(run, event);
            run = next;
            let Some(effect) = effects.into_iter().next() else {
                return run;
            };
            event = match self.perform(&run, effect).await {
                Ok(event) => event,
                Err(error) => Event::StoreFailed(error.to_string()),
            };
        }
    }

    async fn perform(&mut self, run: &Run, effect: Effect) -> Result<Event> {
        match effect {
            Effect::ClaimBatch => claim::batch(self).await,
            Effect::ClaimItem(slot) => claim::item(self, slot).await,
            Effect::Deliver(slots) => self.deliver(run, slots).await,
            Effect::Record(outcomes) => {
                for (slot, outcome) in outcomes {
                    claim::record(self, slot, &outcome).await?;
                    self.tell(slot, &outcome).await?;
                }
                Ok(Event::Recorded)
            }
            Effect::Settle => self.settle(run).await,
        }
    }

    /// Tells the Python system of a message that is, or may be, out.
    pub(super) async fn tell(&self, slot: usize, outcome: &Outcome) -> Result<()> {
        let may_be_out = matches!(outcome, Outcome::Accepted { .. } | Outcome::Unknown { .. });
        if self.locks.is_none() || !may_be_out {
            return Ok(());
        }
        let operator = self.operator;
        let item = &self.batch.items[self.order[slot]];
        let (store, ids) = (&*operator.store, &*operator.ids);
        let now = operator.clock.now();
        coexist::tell(
            store,
            ids,
            &item.recipient,
            item.medium,
            (self.today(), now),
        )
        .await
    }

    /// The day, in the business time zone.
    pub(super) fn today(&self) -> jiff::civil::Date {
        let operator = self.operator;
        operator.clock.now().to_zoned(operator.zone.clone()).date()
    }

    async fn deliver(&mut self, run: &Run, slots: Vec<usize>) -> Result<Event> {
        let store = &*self.operator.store;
        if let Some(reason) = blocked(&self.operator.gate.verdict(store).await) {
            return Ok(Event::Stopped(reason));
        }
        let lease = Lease::new(records::executor_lease(&self.batch.id));
        if !lease
            .renew(store, &*self.operator.ids, &self.held, self.operator.lease)
            .await?
        {
            return Ok(Event::StoreFailed(
                "the executor's lease was lost".to_owned(),
            ));
        }
        let Some(container) = slots.first().map(|first| &run.slots[*first].container) else {
            return Ok(Event::Delivered(Vec::new()));
        };
        let Some(channel) = self.operator.channels.get(&container.provider) else {
            return Ok(Event::Stopped(format!(
                "there is no channel for {}",
                container.provider
            )));
        };
        let items: Vec<Outgoing> = slots
            .iter()
            .filter_map(|slot| self.outgoing.remove(slot))
            .collect();
        Ok(Event::Delivered(channel.deliver(container, &items).await))
    }

    pub(super) async fn settle(&mut self, run: &Run) -> Result<Event> {
        let outcomes: BTreeMap<String, ItemOutcome> = run
            .outcomes()
            .into_iter()
            .zip(&self.order)
            .map(|(outcome, position)| (self.batch.items[*position].draft.clone(), outcome))
            .collect();
        self.batch = claim::settle(self, &outcomes).await?;
        Ok(Event::Settled)
    }

    pub(super) async fn report(&self, run: &Run) -> Result<RunReport> {
        let store = &*self.operator.store;
        let batch = crate::batches::one(store, &self.batch.id).await?;
        let items = run.slots.iter().zip(&self.order).map(|(slot, position)| {
            let item = &self.batch.items[*position];
            let (state, detail) = describe(slot);
            ItemReport {
                draft: item.draft.clone(),
                recipient: item.recipient.to_string(),
                state,
                detail,
            }
        });
        Ok(RunReport {
            run: self.run.clone(),
            batch: batch.id,
            status: batch.status,
            stopped: run.stopped.clone(),
            items: items.collect(),
        })
    }

    /// The ledger id of a slot's item.
    pub(super) fn delivery(&self, slot: usize) -> String {
        ledger::delivery_id(&self.batch.id, &self.batch.items[self.order[slot]])
    }
}

/// Items by where they go, each container's together.
pub(super) fn order(batch: &Batch) -> Vec<usize> {
    let mut order: Vec<usize> = (0..batch.items.len()).collect();
    order.sort_by_key(|position| {
        let item = &batch.items[*position];
        (item.provider, item.tier, item.pool.clone(), *position)
    });
    order
}

/// What stands against sending, if anything does.
fn blocked(verdict: &Verdict) -> Option<String> {
    let reasons = verdict
        .blocks()
        .map(|(layer, block)| format!("layer {} ({layer}): {}", layer.number(), block.reason));
    (!verdict.may_send()).then(|| reasons.collect::<Vec<_>>().join("; "))
}

fn describe(slot: &Slot) -> (&'static str, String) {
    match &slot.state {
        SlotState::Waiting => ("waiting", String::new()),
        SlotState::Claimed => (
            "unknown",
            "claimed; the run ended before the call".to_owned(),
        ),
        SlotState::Refused(reason) => ("refused", reason.clone()),
        SlotState::Ended(Outcome::Accepted { receipt }) => ("accepted", receipt.clone()),
        SlotState::Ended(Outcome::NotSent { reason }) => ("not_sent", reason.clone()),
        SlotState::Ended(Outcome::Rejected { reason }) => ("rejected", reason.clone()),
        SlotState::Ended(Outcome::Unknown { reason }) => ("unknown", reason.clone()),
    }
}
