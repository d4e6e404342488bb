//! The task that gives stored events their effect: at once when one arrives, and now and then for
//! those that were left, by a crash or by a record that could not be written.

use std::sync::Arc;
use std::time::Duration;

use caio_dispatch::DispatchError;
use caio_dispatch::inbox::{Apply, Drained, dead_letters};

use crate::http::service::Service;

/// Longest pause between two looks.
const PAUSE: Duration = Duration::from_secs(15);

/// While events arrive that close to each other, those that are stored let them go first: a provider
/// waits for its answer. What must hold at once was stored with the event.
const QUIET: Duration = Duration::from_millis(10);

/// How often they let others go first before some of them have their turn.
const PATIENCE: usize = 25;

/// Works until it is dropped. What it leaves undone is pending in the store.
pub(crate) async fn work(service: Arc<Service>) {
    // What cannot be read here keeps the commands from running as well; leads are guarded anyway.
    let follow_ups = super::follow_ups(&service).ok();
    let policy = service.context.alert_policy();
    let alerts = service.context.alerts(&*service.store, &policy);
    let apply = Apply {
        store: &*service.store,
        clock: &*service.context.clock,
        ids: &*service.context.ids,
        follow_ups: follow_ups.as_ref(),
        alerts: Some(alerts),
    };
    loop {
        match drain(&service, &apply).await {
            Ok(drained) if drained.dead > 0 => {
                let dead = dead_letters(&*service.store).await.unwrap_or_default();
                for subject in dead {
                    service.context.notes.note(subject);
                }
                tracing::warn!(
                    event.kind = "webhooks",
                    applied = drained.applied,
                    dead = drained.dead,
                    "events wait for a person: caio webhooks list --state dead"
                );
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(
                event.kind = "webhooks", code = error.code(), cause = %error,
                "events could not be applied and stay pending"
            ),
        }
        // Either way it is time to look again.
        let _ = tokio::time::timeout(PAUSE, service.webhooks.arrived.notified()).await;
    }
}

/// Applies every pending event, while no others arrive.
async fn drain(service: &Service, apply: &Apply<'_>) -> Result<Drained, DispatchError> {
    let mut drained = Drained::default();
    let mut after = None;
    loop {
        quiet(service).await;
        after = apply.page(after.as_ref(), &mut drained).await?;
        if after.is_none() {
            return Ok(drained);
        }
    }
}

/// Waits until no event has arrived for a moment, though not for long.
async fn quiet(service: &Service) {
    let commits = &service.webhooks.commits;
    for _ in 0..PATIENCE {
        let before = commits.taken();
        tokio::time::sleep(QUIET).await;
        if commits.taken() == before {
            return;
        }
    }
}
