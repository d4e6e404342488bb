//! Webhooks: proven, stored, answered; a task of its own gives them their effect.
//!
//! Nothing that did not prove itself has an effect. While a provider is on hold, or where
//! `WEBHOOK_SIGNATURE_REQUIRED` is off, such an event is stored and can stop us from writing to
//! somebody until a person has looked, and nothing else.

mod health;
mod inbox;
mod keys;
mod providers;
mod work;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use caio_core::webhook::signature::{Proof, Request, SignatureFault, verify};
use caio_core::webhook::{MAX_BODY, Source};
use caio_dispatch::DispatchError;
use caio_dispatch::cadence::Cadences;
use caio_dispatch::inbox::{Arrived, Commits, Inbox, Received, committer};
use caio_state::StateStore;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use utoipa_axum::router::OpenApiRouter;

use super::problem::{Problem, Result};
use super::service::Service;
use crate::wiring::Context;
use keys::Known;
pub(crate) use work::work;

/// What the routes of webhooks share.
#[derive(Debug)]
pub(crate) struct Webhooks {
    known: Known,
    commits: Commits,
    /// An event was stored.
    arrived: Notify,
    /// Ends when nobody can hand anything in any more.
    _committing: JoinHandle<()>,
}

pub(super) fn all() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .merge(providers::routes())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .merge(health::routes())
        .merge(inbox::routes())
}

impl Webhooks {
    /// # Errors
    /// Keys or holds in the environment that cannot be used.
    pub(crate) fn new(context: &Context, store: &Arc<dyn StateStore>) -> crate::exit::Result<Self> {
        let (commits, committing) = committer(Arc::clone(store));
        Ok(Self {
            known: Known::new(context)?,
            commits,
            arrived: Notify::new(),
            _committing: tokio::spawn(committing),
        })
    }
}

/// The follow-ups that events end and hold.
pub(super) fn follow_ups(service: &Service) -> crate::exit::Result<Cadences<'_>> {
    service.context.follow_ups_of(&*service.store, "caio")
}

/// Stores what `source` sent. The answer of every fault is the same for everybody who cannot prove
/// who they are.
async fn take(
    service: &Service,
    source: Source,
    hint: Option<&str>,
    request: &Request<'_>,
) -> Result<Received> {
    let webhooks = &service.webhooks;
    let now = service.context.clock.now();
    let known = webhooks.known.now(&*service.store, now).await?;
    let proof = match verify(source, known.keys(source), request, now) {
        Ok(proof) => Some(proof),
        Err(fault) => {
            let lax = fault == SignatureFault::Unconfigured && !webhooks.known.is_strict();
            if known.holds.until(source, now).is_none() && !lax {
                return Err(refusal(fault));
            }
            None
        }
    };
    store(service, source, hint, request.body, proof).await
}

/// Stores an event whose sender is known, or may hold a lead and nothing else.
async fn store(
    service: &Service,
    source: Source,
    hint: Option<&str>,
    body: &[u8],
    proof: Option<Proof>,
) -> Result<Received> {
    let inbox = Inbox {
        store: &*service.store,
        clock: &*service.context.clock,
        ids: &*service.context.ids,
        commits: Some(&service.webhooks.commits),
    };
    let arrived = Arrived {
        source,
        hint,
        body,
        proof,
    };
    let received = inbox.receive(&arrived).await.map_err(|error| match error {
        DispatchError::Webhook(malformed) => Problem::new(
            StatusCode::BAD_REQUEST,
            malformed.code(),
            malformed.to_string(),
        ),
        other => other.into(),
    })?;
    let (source, kind) = (source.as_str(), received.kind.as_str());
    service.traffic.count_webhook(source, kind, received.known);
    service.webhooks.arrived.notify_one();
    Ok(received)
}

fn refusal(fault: SignatureFault) -> Problem {
    match fault {
        SignatureFault::Unconfigured => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            fault.code(),
            "webhooks of this provider are not set up",
        ),
        // Which of them it was is for the log alone.
        _ => Problem::new(
            StatusCode::UNAUTHORIZED,
            "webhook.signature",
            "Invalid signature",
        )
        .caused(fault.to_string()),
    }
}
