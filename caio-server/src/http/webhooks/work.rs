//! The task that gives stored events their effect: at once when one arrives, and now and then for
//! those that were left, by a crash or by a record that could not be written.

use std::sync::Arc;
use std::time::Duration;

use caio_dispatch::inbox::{Apply, dead_letters};

use crate::http::service::Service;

/// Longest pause between two looks.
const PAUSE: Duration = Duration::from_secs(15);

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
        match apply.drain().await {
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
