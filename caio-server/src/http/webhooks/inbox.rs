//! What arrived, for a person to look at and decide on.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use caio_core::time::rfc3339;
use caio_core::webhook::signature::Proof;
use caio_core::webhook::{Kind, Source, Trust};
use caio_dispatch::cadence::Cadences;
use caio_dispatch::inbox::{self, Decide, EventState, StoredEvent, Wanted};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::follow_ups;
use crate::http::access::Principal;
use crate::http::input::{Asked, Body, Id};
use crate::http::paging;
use crate::http::problem::{Problem, Result};
use crate::http::service::Service;

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(replay_all))
        .routes(routes!(show))
        .routes(routes!(replay))
        .routes(routes!(accept))
        .routes(routes!(dismiss))
}

/// Which events.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// applied, dead, dismissed, held or pending
    state: Option<String>,
    /// Received from then on, RFC 3339.
    from: Option<String>,
    /// Received before, RFC 3339.
    until: Option<String>,
    /// 1 to 500; 50 where it is not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// Which events to apply again. At least one member has to say so.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Again {
    /// applied, dead or pending
    #[schema(example = "dead")]
    state: Option<String>,
    /// Received from then on, RFC 3339.
    from: Option<String>,
    /// Received before, RFC 3339.
    until: Option<String>,
}

/// An event, without its body.
#[derive(Debug, Serialize, ToSchema)]
struct Listed {
    id: String,
    #[schema(value_type = String)]
    source: Source,
    #[schema(value_type = String)]
    kind: Kind,
    /// The provider's word.
    name: String,
    /// RFC 3339 UTC.
    received_at: String,
    #[schema(value_type = String)]
    trust: Trust,
    #[schema(value_type = Option<String>)]
    proof: Option<Proof>,
    #[schema(value_type = String)]
    state: EventState,
    /// Why it stands there.
    reason: String,
    attempts: u32,
}

impl From<&StoredEvent> for Listed {
    fn from(event: &StoredEvent) -> Self {
        Self {
            id: event.id.clone(),
            source: event.source,
            kind: event.kind,
            name: event.name.clone(),
            received_at: rfc3339(event.received_at),
            trust: event.trust,
            proof: event.proof,
            state: event.state,
            reason: event.reason.clone(),
            attempts: event.attempts,
        }
    }
}

/// Events, the newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookEvents)]
struct Events {
    events: Vec<Listed>,
    count: usize,
}

/// An event with its body.
#[derive(Debug, Serialize, ToSchema)]
struct Whole {
    event: Listed,
    /// The body, byte for byte; in base64 where `encoded` says so.
    body: String,
    encoded: bool,
}

/// Where an event stands now.
#[derive(Debug, Serialize, ToSchema)]
struct Stands {
    id: String,
    #[schema(value_type = String)]
    state: EventState,
}

/// Where events stand now.
#[derive(Debug, Serialize, ToSchema)]
struct All {
    events: Vec<Stands>,
    count: usize,
}

fn wanted(state: Option<&str>, from: Option<&str>, until: Option<&str>) -> Result<Wanted> {
    let instant = |text: Option<&str>| -> Result<Option<Timestamp>> {
        let parsed = text.map(str::parse).transpose();
        parsed.map_err(|_| {
            Problem::invalid(
                "webhook.time",
                "expected an instant such as 2026-03-02T14:00:00Z",
            )
        })
    };
    let state = state.map(str::parse).transpose();
    Ok(Wanted {
        state: state.map_err(|error: caio_core::terms::UnknownTerm| {
            Problem::invalid("term.unknown", error.to_string())
        })?,
        from: instant(from)?,
        until: instant(until)?,
    })
}

fn decide<'a>(
    service: &'a Service,
    principal: &'a Principal,
    follow_ups: &'a Cadences<'a>,
) -> Decide<'a> {
    Decide {
        follow_ups: Some(follow_ups),
        store: &*service.store,
        clock: &*service.context.clock,
        ids: &*service.context.ids,
        by: &principal.name,
    }
}

/// Events that arrived, the newest first, without their bodies.
#[utoipa::path(
    get, path = "/api/webhooks", tag = "webhooks", params(Which), security(("token" = ["viewer"])),
    responses((status = 200, body = Events), (status = 422, description = "A word that is off"))
)]
async fn list(
    State(service): State<Arc<Service>>,
    Asked(asked): Asked<Which>,
) -> Result<Json<Events>> {
    let limit = paging::size(asked.limit)?;
    let wanted = wanted(
        asked.state.as_deref(),
        asked.from.as_deref(),
        asked.until.as_deref(),
    )?;
    let events = inbox::list(&*service.store, &wanted, limit).await?;
    let events: Vec<Listed> = events.iter().map(Listed::from).collect();
    Ok(Json(Events {
        count: events.len(),
        events,
    }))
}

/// One event with its body, which holds personal data.
#[utoipa::path(
    get, path = "/api/webhooks/{id}", tag = "webhooks", security(("token" = ["operator"])),
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = Whole), (status = 404, description = "No such event"))
)]
async fn show(State(service): State<Arc<Service>>, Id(id): Id) -> Result<Json<Whole>> {
    let (event, _) = inbox::one(&*service.store, &id).await?;
    Ok(Json(Whole {
        event: Listed::from(&event),
        body: event.body,
        encoded: event.encoded,
    }))
}

/// Applies one event again: what it changed before stays as it is.
#[utoipa::path(
    post, path = "/api/webhooks/{id}/replay", tag = "webhooks", security(("token" = ["operator"])),
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, body = Stands), (status = 404, description = "No such event"),
        (status = 409, description = "A person has to decide on it first"),
    )
)]
async fn replay(
    State(service): State<Arc<Service>>,
    principal: Principal,
    Id(id): Id,
) -> Result<Json<Stands>> {
    let state = decide(&service, &principal, &follow_ups(&service)?)
        .replay(&id)
        .await?;
    Ok(Json(Stands { id, state }))
}

/// Applies events again, the oldest first.
#[utoipa::path(
    post, path = "/api/webhooks/replay", tag = "webhooks", security(("token" = ["operator"])),
    request_body = Again,
    responses((status = 200, body = All), (status = 422, description = "Nothing says which"))
)]
async fn replay_all(
    State(service): State<Arc<Service>>,
    principal: Principal,
    Body(again): Body<Again>,
) -> Result<Json<All>> {
    let Again { state, from, until } = &again;
    if state.is_none() && from.is_none() && until.is_none() {
        let what = "say which events: state, from or until";
        return Err(Problem::invalid("webhook.which", what));
    }
    let wanted = wanted(state.as_deref(), from.as_deref(), until.as_deref())?;
    let replayed = decide(&service, &principal, &follow_ups(&service)?)
        .replay_all(&wanted)
        .await?;
    let events: Vec<Stands> = replayed
        .into_iter()
        .map(|(id, state)| Stands { id, state })
        .collect();
    Ok(Json(All {
        count: events.len(),
        events,
    }))
}

/// Vouches for an event that nobody knows the sender of, and applies it.
#[utoipa::path(
    post, path = "/api/webhooks/{id}/accept", tag = "webhooks", security(("token" = ["operator"])),
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, body = Stands), (status = 404, description = "No such event"),
        (status = 409, description = "It is not held"),
    )
)]
async fn accept(
    State(service): State<Arc<Service>>,
    principal: Principal,
    Id(id): Id,
) -> Result<Json<Stands>> {
    let state = decide(&service, &principal, &follow_ups(&service)?)
        .accept(&id)
        .await?;
    Ok(Json(Stands { id, state }))
}

/// Decides that an event has no effect, and takes it out of the lead's hold.
#[utoipa::path(
    post, path = "/api/webhooks/{id}/dismiss", tag = "webhooks", security(("token" = ["operator"])),
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, body = Stands), (status = 404, description = "No such event"),
        (status = 409, description = "It has had its effect"),
    )
)]
async fn dismiss(
    State(service): State<Arc<Service>>,
    principal: Principal,
    Id(id): Id,
) -> Result<Json<Stands>> {
    let state = decide(&service, &principal, &follow_ups(&service)?)
        .dismiss(&id)
        .await?;
    Ok(Json(Stands { id, state }))
}
