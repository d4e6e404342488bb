//! Who runs batches, and what has to hold before one begins.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use caio_core::batch::{Batch, BatchItem, BatchStatus, SealKeys};
use caio_core::limits::{LimitPolicy, RunLimit};
use caio_core::safety::{self, StopFlag, Verdict};
use caio_core::terms::{Mode, Motion, Provider, Tier};
use caio_core::{Clock, IdSource};
use caio_state::{Held, Lease, StateStore, StateStoreExt};
use jiff::SignedDuration;

use super::context::Context;
use super::permits::Permits;
use super::recover;
use super::report::RunReport;
use super::step::Lane;
use crate::channel::{Channel, Container};
use crate::coexist::followed::Watch;
use crate::coexist::{PythonLocks, authority};
use crate::error::{DispatchError, Result};
use crate::migrate::Migrate;
use crate::records;

/// What stops this process without the store: its environment, and a file.
pub trait Brake: Debug + Send + Sync {
    /// The value of the environment that stops, see [`safety::Inputs::stop_env`].
    fn environment(&self) -> Option<String>;

    /// Whether the stop file stands; [`StopFlag::Unreadable`] when nobody can tell.
    fn file(&self) -> StopFlag;
}

/// Asked before every provider call: everything that may forbid one.
#[derive(Debug, Clone)]
pub struct Gate {
    /// What the configuration says; every kind of stop is asked for anew each time.
    pub inputs: safety::Inputs,
    /// What stops without the store.
    pub brake: Arc<dyn Brake>,
}

impl Gate {
    /// The verdict now; a stop that cannot be read counts as set.
    pub async fn verdict(&self, store: &dyn StateStore) -> Verdict {
        let flag = match caio_state::stop::read(store).await {
            Ok(None) => StopFlag::Clear,
            Ok(Some(_)) => StopFlag::Set,
            Err(_) => StopFlag::Unreadable,
        };
        self.verdict_with(flag)
    }

    /// Why nothing may be claimed, as far as the store need not be asked: its flag is a guard of
    /// every claim.
    pub(super) fn held_back(&self) -> Option<String> {
        blocked(&self.verdict_with(StopFlag::Clear))
    }

    /// What needs no waiting is asked last.
    fn verdict_with(&self, stop_flag: StopFlag) -> Verdict {
        safety::verdict(&safety::Inputs {
            stop_env: self.brake.environment(),
            stop_file: self.brake.file(),
            stop_flag,
            ..self.inputs.clone()
        })
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
    /// Provider calls under way at one time.
    pub permits: Permits,
    /// How long after its beginning a run may wait for messages that keep a distance; what would have to
    /// wait longer stays approved.
    pub patience: SignedDuration,
    /// The Python system runs beside us on this store: it is kept out, asked and told, and its folder
    /// is followed.
    pub coexist: Option<Watch>,
}

impl Operator {
    /// Executes `batch` if it is approved, sealed, unexpired and nobody else's; finishes it if a
    /// run of it was interrupted.
    ///
    /// # Errors
    /// [`DispatchError::Refused`] with `dispatch.blocked` when the verdict forbids it, with
    /// `lease.held` when another executor runs it; refusals of the batch itself; store failures.
    pub async fn execute(&self, batch: &str, motion: Motion) -> Result<RunReport> {
        if self.gate.inputs.requested != Mode::Live {
            return Err(DispatchError::Refused {
                code: "dispatch.blocked",
                reason: "live was not asked for".to_owned(),
            });
        }
        self.begin(batch, motion).await
    }

    /// Runs `batch` in the mode that was asked for.
    pub(super) async fn begin(&self, batch: &str, motion: Motion) -> Result<RunReport> {
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
        let mut context = Context::new(self, batch, run, held);
        context.locks = locks;
        context.authority = Some(authority);
        let slots = recover::slots(&context).await?;
        let machine = context.drive(context.machine(slots)).await;
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

    /// Where an item of the batch with this digest goes, and how many go together.
    pub(super) fn lane(&self, item: &BatchItem, digest: &str) -> Lane {
        let utc = jiff::tz::TimeZone::UTC;
        let day = self.clock.now().to_zoned(utc).date();
        let chunk = self.channels.get(&item.provider).map(|it| it.chunk());
        Lane {
            container: Container {
                name: caio_core::requests::container_name(item.tier, item.step, day, digest),
                provider: item.provider,
                pool: item.pool.clone(),
                tier: item.tier,
            },
            chunk: chunk.unwrap_or(1).clamp(1, self.permits.leads()),
        }
    }
}

/// What stands against sending, if anything does.
pub(super) fn blocked(verdict: &Verdict) -> Option<String> {
    let reasons = verdict
        .blocks()
        .filter(|(layer, _)| layer.holds_for(verdict.requested))
        .map(|(layer, block)| format!("layer {} ({layer}): {}", layer.number(), block.reason));
    (!verdict.may_run()).then(|| reasons.collect::<Vec<_>>().join("; "))
}
