//! Leads: who is where, and everything that happened around one of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use caio_core::signals::Decay;
use caio_dispatch::board::{self, Row};
use caio_dispatch::decay::Silence;
use caio_dispatch::timeline::{self, Moment};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::operator::bounded;
use super::person;
use crate::http::input::{Asked, Id};
use crate::http::problem::{ProblemDocument, Result};
use crate::http::service::Service;

/// Leads of a list, and most of them.
const LEADS: (usize, usize) = (500, 10_000);

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(funnel))
        .routes(routes!(summary))
        .routes(routes!(timeline_of))
        .routes(routes!(decay))
        .routes(routes!(bootstrap))
}

/// How many.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HowMany {
    /// 1 to 10,000; 500 where it is not given.
    #[param(minimum = 1, maximum = 10_000)]
    limit: Option<usize>,
}

/// Leads by status, in groups.
#[derive(Debug, Serialize, ToSchema)]
struct Funnel {
    /// Waits for a decision, or had one.
    pipeline: BTreeMap<String, u64>,
    /// Is out.
    outreach: BTreeMap<String, u64>,
    /// Did something with it.
    engagement: BTreeMap<String, u64>,
    /// Went quiet.
    decay: BTreeMap<String, u64>,
    /// Is not written to any more.
    terminal: BTreeMap<String, u64>,
    /// On LinkedIn.
    linkedin: BTreeMap<String, u64>,
    /// Is written to anew.
    revival: BTreeMap<String, u64>,
    /// All leads, those in no group as well.
    total_leads: u64,
}

/// Everything that happened around one person.
#[derive(Debug, Serialize, ToSchema)]
struct Timeline {
    /// The address, as it is compared.
    email: String,
    /// What signals say; null where there are none.
    #[schema(value_type = Option<Object>)]
    current_status: Option<Map<String, Value>>,
    /// What happened, the oldest first.
    timeline: Vec<Moment>,
    /// How much that is.
    event_count: usize,
}

/// Whose status silence has changed.
#[derive(Debug, Serialize, ToSchema)]
struct Decayed {
    /// Never opened anything.
    ghosted: usize,
    /// Opened, and nothing more.
    stalled: usize,
    /// Opened more than once, without an answer.
    engaged_not_replied: usize,
    /// Who.
    details: Details,
}

/// Who.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Details {
    /// Never opened anything.
    ghosted: Vec<String>,
    /// Opened, and nothing more.
    stalled: Vec<String>,
    /// Opened more than once, without an answer.
    engaged_not_replied: Vec<String>,
}

/// Records that were begun.
#[derive(Debug, Serialize, ToSchema)]
struct Begun {
    /// How many.
    created: u64,
    /// In words.
    message: String,
}

/// The leads that were touched last, the newest first.
#[utoipa::path(
    get, path = "/api/leads", tag = "leads", params(HowMany), security(("token" = ["viewer"])),
    responses((status = 200, body = Vec<Row>), (status = 422, body = ProblemDocument))
)]
async fn list(
    State(service): State<Arc<Service>>,
    Asked(HowMany { limit }): Asked<HowMany>,
) -> Result<Json<Vec<Row>>> {
    let limit = bounded(limit, LEADS)?;
    let newest = board::newest(&*service.store, &service.places, limit);
    Ok(Json(newest.await?))
}

/// Leads by status, in groups.
#[utoipa::path(
    get, path = "/api/leads/funnel", tag = "leads", security(("token" = ["viewer"])),
    responses((status = 200, body = Funnel))
)]
async fn funnel(State(service): State<Arc<Service>>) -> Result<Json<Funnel>> {
    let mut funnel = board::funnel(&*service.store).await?;
    let mut group = |name: &str| funnel.groups.remove(name).unwrap_or_default();
    Ok(Json(Funnel {
        pipeline: group("pipeline"),
        outreach: group("outreach"),
        engagement: group("engagement"),
        decay: group("decay"),
        terminal: group("terminal"),
        linkedin: group("linkedin"),
        revival: group("revival"),
        total_leads: funnel.total_leads,
    }))
}

/// How many leads are in each status.
#[utoipa::path(
    get, path = "/api/leads/status-summary", tag = "leads", security(("token" = ["viewer"])),
    responses((status = 200, body = BTreeMap<String, u64>))
)]
async fn summary(State(service): State<Arc<Service>>) -> Result<Json<BTreeMap<String, u64>>> {
    Ok(Json(board::statuses(&*service.store).await?))
}

/// Everything that happened around one person.
#[utoipa::path(
    get, path = "/api/leads/{email}/timeline", tag = "leads", security(("token" = ["viewer"])),
    params(("email" = String, Path, description = "An address", format = "email", example = "lee@example.com")),
    responses((status = 200, body = Timeline), (status = 422, body = ProblemDocument))
)]
async fn timeline_of(State(service): State<Arc<Service>>, Id(email): Id) -> Result<Json<Timeline>> {
    let key = person(&email)?;
    let found = timeline::of(&*service.store, &key).await?;
    Ok(Json(Timeline {
        email: key.to_string(),
        current_status: found.status,
        event_count: found.moments.len(),
        timeline: found.moments,
    }))
}

/// Records what silence has made of leads.
#[utoipa::path(
    post, path = "/api/leads/detect-decay", tag = "leads", security(("token" = ["operator"])),
    responses((status = 200, body = Decayed), (status = 503, body = ProblemDocument))
)]
async fn decay(State(service): State<Arc<Service>>) -> Result<Json<Decayed>> {
    let mut details = Details::default();
    for quiet in silence(&service).detect().await? {
        let list = match quiet.decay {
            Decay::Ghosted { .. } => &mut details.ghosted,
            Decay::Stalled { .. } => &mut details.stalled,
            Decay::Engaged { .. } => &mut details.engaged_not_replied,
        };
        list.push(quiet.person.to_string());
    }
    Ok(Json(Decayed {
        ghosted: details.ghosted.len(),
        stalled: details.stalled.len(),
        engaged_not_replied: details.engaged_not_replied.len(),
        details,
    }))
}

/// Begins a record of signals for every lead that has a draft and none.
#[utoipa::path(
    post, path = "/api/leads/bootstrap", tag = "leads", security(("token" = ["operator"])),
    responses((status = 200, body = Begun), (status = 503, body = ProblemDocument))
)]
async fn bootstrap(State(service): State<Arc<Service>>) -> Result<Json<Begun>> {
    let created = silence(&service).bootstrap().await?;
    let message = format!("{created} records of signals were begun");
    Ok(Json(Begun { created, message }))
}

fn silence(service: &Service) -> Silence<'_> {
    Silence {
        store: &*service.store,
        clock: &*service.context.clock,
        ids: &*service.context.ids,
    }
}
