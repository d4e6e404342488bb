//! What the service does by itself, again and again. Every task may run in several instances at
//! once: each is idempotent over the store.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use caio_core::escalation::Configured;
use caio_dispatch::audit;
use caio_dispatch::notify::{self, Which};
use caio_dispatch::reindex::Reindex;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::live;
use super::service::Service;
use super::webhooks;
use crate::exit::Failure;

/// When they begin: the first requests go first, among them the platform's question whether the
/// service is ready.
const FIRST: Duration = Duration::from_millis(250);

/// Tasks that end with the service.
#[derive(Debug, Default)]
pub(crate) struct Tasks(JoinSet<()>);

impl Tasks {
    /// All tasks of the service.
    pub(crate) fn of(service: &Arc<Service>) -> Self {
        let mut tasks = Self::default();
        tasks.every(service, "batches.expire", Duration::from_mins(1), expire);
        tasks.every(service, "live.look", Duration::from_secs(1), live::look);
        tasks.every(service, "audit.seal", Duration::from_secs(5), seal);
        tasks.every(service, "alerts.watch", Duration::from_mins(1), watch);
        tasks.every(service, "alerts.bounces", Duration::from_mins(15), bounces);
        tasks.every(service, "alerts.deliver", Duration::from_secs(5), deliver);
        tasks.every(service, "cadence.sync", Duration::from_mins(5), follow_up);
        tasks.every(service, "leads.places", Duration::from_hours(1), places);
        tasks.every(service, "metrics", Duration::from_secs(5), gather);
        tasks.0.spawn(webhooks::work(Arc::clone(service)));
        tasks
    }

    /// Runs `work` now and then after each `pause`; a failure is logged and does not end it.
    fn every<F>(
        &mut self,
        service: &Arc<Service>,
        name: &'static str,
        pause: Duration,
        work: fn(Arc<Service>) -> F,
    ) where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let service = Arc::clone(service);
        self.0.spawn(async move {
            let mut ticks = tokio::time::interval_at(Instant::now() + FIRST, pause);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                if let Err(failure) = work(Arc::clone(&service)).await {
                    tracing::warn!(
                        event.kind = "task", task = name, code = failure.code, cause = %failure.message,
                        "a task failed and runs again later"
                    );
                }
            }
        });
    }

    /// Ends all of them.
    pub(crate) async fn end(mut self) {
        self.0.shutdown().await;
    }
}

/// Puts what was measured into its buckets: until then every single wait is kept.
async fn gather(service: Arc<Service>) -> Result<(), Failure> {
    if let Some(metrics) = &service.metrics {
        metrics.run_upkeep();
    }
    Ok(())
}

/// Begins the follow-ups of what was sent, ends and holds those that signals are about.
async fn follow_up(service: Arc<Service>) -> Result<(), Failure> {
    webhooks::follow_ups(&service)?.sync().await?;
    Ok(())
}

/// Holds leads and their statuses against the indexes that the list of leads is read from.
async fn places(service: Arc<Service>) -> Result<(), Failure> {
    let reindex = Reindex {
        store: &*service.store,
        ids: &*service.context.ids,
        dry_run: false,
    };
    service.places.look(&reindex).await?;
    Ok(())
}

async fn expire(service: Arc<Service>) -> Result<(), Failure> {
    let batches = caio_dispatch::batches::Batches {
        store: &*service.store,
        clock: &*service.context.clock,
        ids: &*service.context.ids,
        by: "caio",
    };
    let policy = service.context.alert_policy();
    let alerts = service.context.alerts(&*service.store, &policy);
    let (_, problems) = notify::expire(&batches, &alerts).await?;
    first(problems)
}

/// Raises what waits for a person, and what the providers' clients have noted.
async fn watch(service: Arc<Service>) -> Result<(), Failure> {
    let policy = service.context.alert_policy();
    let alerts = service.context.alerts(&*service.store, &policy);
    let problems = alerts.raise_all(service.context.notes.take()).await;
    notify::watch(&alerts).await?;
    first(problems)
}

/// Raises a bounce rate that is over its threshold; seldom, since it reads a week of deliveries.
async fn bounces(service: Arc<Service>) -> Result<(), Failure> {
    let policy = service.context.alert_policy();
    let alerts = service.context.alerts(&*service.store, &policy);
    notify::bounced(&alerts).await?;
    Ok(())
}

/// Delivers what the outbox holds. Without a channel another process, which has one, may.
async fn deliver(service: Arc<Service>) -> Result<(), Failure> {
    let Service {
        context,
        store,
        notifiers,
        ..
    } = &*service;
    if notifiers.configured() != Configured::default() {
        context.drain(&**store, notifiers, Which::Due).await?;
    }
    Ok(())
}

/// The end of the chain goes into the log, where whoever can write to the store cannot change it.
async fn seal(service: Arc<Service>) -> Result<(), Failure> {
    let sealed = audit::seal(&*service.store, &*service.context.ids).await?;
    if sealed > 0 {
        let head = audit::head(&*service.store).await?;
        tracing::info!(
            event.kind = "audit",
            audit.seq = head.seq,
            audit.hash = head.hash,
            sealed,
            "the audit chain has grown"
        );
    }
    Ok(())
}

fn first(problems: Vec<String>) -> Result<(), Failure> {
    match problems.into_iter().next() {
        Some(problem) => Err(Failure::new("alerts.raise", problem)),
        None => Ok(()),
    }
}
