//! Whether each provider's events are taken, without saying anything of its keys.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use caio_core::webhook::Source;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::problem::Result;
use crate::http::service::Service;

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(instantly))
        .routes(routes!(heyreach))
        .routes(routes!(rb2b))
        .routes(routes!(clay))
        .routes(routes!(ghl))
}

/// Whether events are taken.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `healthy`, or `unconfigured` where every event is refused.
    status: &'static str,
    /// The provider.
    webhook: &'static str,
    /// There is something to check events with.
    secret_configured: bool,
    /// Unsigned events are taken until somebody has looked at them.
    on_hold: bool,
    /// A provider without a key is closed.
    signature_strict_mode: bool,
    /// Words for what happened that are understood, of a provider that sends each to an address.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    events_supported: &'static [&'static str],
}

/// What HeyReach can be asked to report, each in a webhook of its own.
const HEYREACH: [&str; 11] = [
    "CONNECTION_REQUEST_SENT",
    "CONNECTION_REQUEST_ACCEPTED",
    "MESSAGE_SENT",
    "MESSAGE_REPLY_RECEIVED",
    "INMAIL_SENT",
    "INMAIL_REPLY_RECEIVED",
    "FOLLOW_SENT",
    "LIKED_POST",
    "VIEWED_PROFILE",
    "CAMPAIGN_COMPLETED",
    "LEAD_TAG_UPDATED",
];

async fn look(service: &Service, source: Source) -> Result<Json<Health>> {
    let now = service.context.clock.now();
    let known = service.webhooks.known.now(&*service.store, now).await?;
    let configured = !known.keys(source).is_empty(source);
    Ok(Json(Health {
        status: if configured {
            "healthy"
        } else {
            "unconfigured"
        },
        webhook: source.as_str(),
        secret_configured: configured,
        on_hold: known.holds.until(source, now).is_some(),
        signature_strict_mode: service.webhooks.known.is_strict(),
        events_supported: match source {
            Source::HeyReach => &HEYREACH,
            _ => &[],
        },
    }))
}

macro_rules! health {
    ($($(#[$doc:meta])* $name:ident, $path:literal, $source:expr;)+) => {
        $($(#[$doc])*
        #[utoipa::path(get, path = $path, tag = "webhooks", security(()), responses((status = 200, body = Health)))]
        async fn $name(State(service): State<Arc<Service>>) -> Result<Json<Health>> {
            look(&service, $source).await
        })+
    };
}

health! {
    /// Whether events of Instantly are taken.
    instantly, "/webhooks/instantly/health", Source::Instantly;
    /// Whether events of HeyReach are taken.
    heyreach, "/webhooks/heyreach/health", Source::HeyReach;
    /// Whether events of RB2B are taken.
    rb2b, "/webhooks/rb2b/health", Source::Rb2b;
    /// Whether events of Clay are taken.
    clay, "/webhooks/clay/health", Source::Clay;
    /// Whether events of GoHighLevel are taken.
    ghl, "/webhooks/ghl/health", Source::Ghl;
}
