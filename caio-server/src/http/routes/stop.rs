//! The kill switch.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use caio_core::safety::StopFlag;
use caio_dispatch::operator::Brake;
use caio_state::stop;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::access::Principal;
use crate::http::input::Body;
use crate::http::problem::{Problem, ProblemDocument, Result};
use crate::http::service::Service;
use crate::wiring::Stopped;

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(read, set))
        .routes(routes!(resume))
}

/// Whether sending is stopped, by any of the three ways.
#[derive(Debug, Serialize, ToSchema)]
struct Standing {
    /// Nothing is sent.
    stopped: bool,
    /// The shared flag, where it is set.
    flag: Option<Flag>,
    /// `EMERGENCY_STOP` or `KILL_SWITCH` stops this process.
    environment: bool,
    /// The file `STOP` stops this process; also where nobody can tell.
    file: bool,
}

/// Who set the flag, when and why.
#[derive(Debug, Serialize, ToSchema)]
struct Flag {
    /// Who.
    by: String,
    /// When, RFC 3339 UTC.
    at: String,
    /// Why.
    reason: String,
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = StopWhy)]
#[serde(deny_unknown_fields)]
struct Why {
    /// In words.
    #[serde(default)]
    reason: String,
}

/// What a stop has reached.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reached {
    /// The flag is set: nothing is claimed any more.
    stopped: bool,
    /// All of it: the flag is set, and nothing sends at any provider.
    complete: bool,
    /// Why the flag could not be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// By provider, what was paused there.
    halted: BTreeMap<String, Halted>,
    /// Who stopped it.
    by: String,
}

/// What was paused at one provider.
#[derive(Debug, Serialize, ToSchema)]
struct Halted {
    /// Campaigns that were paused; none sends, which was looked up afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<usize>,
    /// What still sends, or may.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// After a stop was taken back.
#[derive(Debug, Serialize, ToSchema)]
struct Resumed {
    /// Always false.
    stopped: bool,
}

/// Whether sending is stopped.
#[utoipa::path(
    get, path = "/api/stop", tag = "stop", security(("token" = ["viewer"])),
    responses((status = 200, body = Standing), (status = 503, body = ProblemDocument))
)]
async fn read(State(service): State<Arc<Service>>) -> Result<Json<Standing>> {
    let flag = stop::read(&*service.store).await?;
    let brake = service.context.brake();
    let (environment, file) = (brake.environment().is_some(), brake.file());
    let file = file != StopFlag::Clear;
    Ok(Json(Standing {
        stopped: flag.is_some() || environment || file,
        flag: flag.map(|it| Flag {
            by: it.by,
            at: it.at,
            reason: it.reason,
        }),
        environment,
        file,
    }))
}

/// Stops all sending, in every process, and pauses what runs at the providers. Whatever fails on
/// the way keeps the rest from nothing, and is said.
#[utoipa::path(
    post, path = "/api/stop", tag = "stop", security(("token" = ["approver"])),
    request_body = Why,
    responses(
        (status = 200, description = "All of it", body = Reached),
        (status = 207, description = "Nothing is claimed any more, and something at a provider may still send", body = Reached),
        (status = 422, body = ProblemDocument),
        (
            status = 503, description = "The flag could not be set",
            content((Reached = "application/json"), (ProblemDocument = "application/problem+json"))
        ),
    )
)]
async fn set(
    State(service): State<Arc<Service>>,
    who: Principal,
    Body(Why { reason }): Body<Why>,
) -> Response {
    let store = Ok(Arc::clone(&service.store));
    let stopped = service.context.stop(store, &who.name, &reason).await;
    reached(&stopped, &who).into_response()
}

/// The truth about a stop, with its status.
pub(super) fn reached(stopped: &Stopped, who: &Principal) -> (StatusCode, Json<Reached>) {
    let is_complete = stopped.is_complete();
    let status = match (&stopped.flag, is_complete) {
        (Err(_), _) => StatusCode::SERVICE_UNAVAILABLE,
        (Ok(()), true) => StatusCode::OK,
        (Ok(()), false) => StatusCode::MULTI_STATUS,
    };
    let halted = stopped.halted.iter().map(|(provider, said)| {
        let halted = Halted {
            paused: said.as_ref().ok().copied(),
            error: said.as_ref().err().cloned(),
        };
        (provider.clone(), halted)
    });
    let reached = Reached {
        stopped: stopped.flag.is_ok(),
        complete: is_complete,
        error: stopped.flag.as_ref().err().map(|it| it.message.clone()),
        halted: halted.collect(),
        by: who.name.clone(),
    };
    (status, Json(reached))
}

/// Takes the shared flag back. What was paused at the providers stays so.
#[utoipa::path(
    post, path = "/api/resume", tag = "stop", security(("token" = ["operator"])),
    responses((status = 200, body = Resumed), (status = 503, body = ProblemDocument))
)]
async fn resume(
    State(service): State<Arc<Service>>,
    who: Principal,
) -> Result<Json<Resumed>, Problem> {
    service.context.resume(&*service.store, &who.name).await?;
    Ok(Json(Resumed { stopped: false }))
}
