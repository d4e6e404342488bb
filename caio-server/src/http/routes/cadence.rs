//! The follow-up over 21 days.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use caio_core::limits::business_day;
use caio_dispatch::cadence::{self, DueAction, STATUSES, Synced};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::operator::bounded;
use crate::http::access::Principal;
use crate::http::input::Asked;
use crate::http::problem::{Problem, ProblemDocument, Result};
use crate::http::service::Service;

/// Entries of a list, and most of them.
const ENTRIES: (usize, usize) = (1_000, 10_000);

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(summary))
        .routes(routes!(due))
        .routes(routes!(leads))
        .routes(routes!(sync))
}

/// Who is in the follow-up.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CadenceSummary)]
pub(super) struct Summary {
    /// Everybody.
    total_enrolled: u64,
    /// By status; all four are there.
    by_status: BTreeMap<String, u64>,
    /// Active ones by `step_N`.
    by_current_step: BTreeMap<String, u64>,
    /// Ended or held ones by reason.
    exit_reasons: BTreeMap<String, u64>,
    /// Steps that are due today.
    actions_due_today: u64,
}

/// A step that is due.
#[derive(Debug, Serialize, ToSchema)]
struct DueStep {
    /// To whom.
    email: String,
    /// Number of the step.
    step: i64,
    /// Its day, 1 being that of the first e-mail.
    day: i64,
    /// `email` or `linkedin`.
    channel: String,
    /// What it does.
    action: String,
    /// The same, for people.
    description: String,
    /// Tier at the first touch.
    tier: String,
    /// Since when, `YYYY-MM-DD`.
    due: String,
    /// `to_write`, `pending`, `approved` or `handed_over`.
    state: &'static str,
}

impl From<DueAction> for DueStep {
    fn from(it: DueAction) -> Self {
        Self {
            email: it.email,
            step: it.step,
            day: it.day,
            channel: it.channel,
            action: it.action,
            description: it.description,
            tier: it.tier,
            due: it.due,
            state: it.state,
        }
    }
}

/// Which people.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// `active`, `paused`, `completed` or `exited`; all where it is not given.
    status: Option<String>,
    /// 1 to 10,000; 1,000 where it is not given.
    #[param(minimum = 1, maximum = 10_000)]
    limit: Option<usize>,
}

/// What has changed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CadenceTaken)]
struct Taken {
    /// Ended.
    exited: Vec<String>,
    /// Held.
    paused: Vec<String>,
    /// Accepted our connection.
    connected: Vec<String>,
    /// Go on.
    resumed: Vec<String>,
    /// Done with every step.
    completed: Vec<String>,
    /// Begun.
    enrolled: Vec<String>,
    /// What could not be read.
    problems: Vec<String>,
}

impl From<Synced> for Taken {
    fn from(it: Synced) -> Self {
        Self {
            exited: it.exited,
            paused: it.paused,
            connected: it.connected,
            resumed: it.resumed,
            completed: it.completed,
            enrolled: it.enrolled,
            problems: it.problems,
        }
    }
}

/// Who is in the follow-up, by status and step. Reading it moves nobody.
#[utoipa::path(
    get, path = "/api/cadence/summary", tag = "cadence", security(("token" = ["viewer"])),
    responses((status = 200, body = Summary))
)]
async fn summary(State(service): State<Arc<Service>>) -> Result<Json<Summary>> {
    Ok(Json(summarized(&service).await?))
}

/// The same, for the operator's status as well.
pub(super) async fn summarized(service: &Service) -> Result<Summary> {
    let today = business_day(service.context.clock.now(), &service.context.zone()?);
    let found = cadence::summary(&*service.store, today).await?;
    Ok(Summary {
        total_enrolled: found.total_enrolled,
        by_status: found.by_status,
        by_current_step: found.by_current_step,
        exit_reasons: found.exit_reasons,
        actions_due_today: found.actions_due_today,
    })
}

/// Steps that are due today, longest due first. Reading them moves nobody.
#[utoipa::path(
    get, path = "/api/cadence/due", tag = "cadence", security(("token" = ["viewer"])),
    responses((status = 200, body = Vec<DueStep>))
)]
async fn due(State(service): State<Arc<Service>>) -> Result<Json<Vec<DueStep>>> {
    let today = business_day(service.context.clock.now(), &service.context.zone()?);
    let found = cadence::due(&*service.store, today, ENTRIES.1).await?;
    Ok(Json(found.actions.into_iter().map(DueStep::from).collect()))
}

/// Everybody in the follow-up, in the old system's shape.
#[utoipa::path(
    get, path = "/api/cadence/leads", tag = "cadence", params(Which), security(("token" = ["viewer"])),
    responses((status = 200, body = Vec<Object>), (status = 422, body = ProblemDocument))
)]
async fn leads(
    State(service): State<Arc<Service>>,
    Asked(which): Asked<Which>,
) -> Result<Json<Vec<Map<String, Value>>>> {
    let status = which.status.as_deref();
    if status.is_some_and(|status| !STATUSES.contains(&status)) {
        let detail = format!("`status` has to be one of {}", STATUSES.join(", "));
        return Err(Problem::invalid("request.query", detail));
    }
    let limit = bounded(which.limit, ENTRIES)?;
    let found = cadence::list(&*service.store, status, limit).await?;
    let records = found.into_iter().map(|it| it.record.into_iter().collect());
    Ok(Json(records.collect()))
}

/// Takes in what was sent and what signals say: begins, ends and holds follow-ups.
#[utoipa::path(
    post, path = "/api/cadence/sync", tag = "cadence", security(("token" = ["operator"])),
    responses((status = 200, body = Taken), (status = 503, body = ProblemDocument))
)]
async fn sync(State(service): State<Arc<Service>>, who: Principal) -> Result<Json<Taken>> {
    let cadences = service.context.follow_ups_of(&*service.store, &who.name)?;
    Ok(Json(cadences.sync().await?.into()))
}
