//! The operator as the old dashboard's callers know it.

mod batch;
mod trigger;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use caio_core::batch::BatchStatus;
use caio_core::terms::{Motion, Provider, Tier};
use caio_dispatch::batches;
use caio_dispatch::policy::Policy;
use caio_dispatch::runs::{self, LiveRun, ProviderCounts, Today};
use caio_state::stop;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::batches::{Approval, Why, approve_seen};
use super::cadence::{Summary, summarized};
use crate::http::access::Principal;
use crate::http::input::{Asked, Body, Id};
use crate::http::problem::{Problem, ProblemDocument, Result};
use crate::http::service::Service;
use batch::{DispatchBatch, shown};

/// Runs of a list, and most of them.
const RUNS: (usize, usize) = (50, 200);

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(history))
        .routes(routes!(pending))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .merge(trigger::routes())
}

/// Where everything stands.
#[derive(Debug, Serialize, ToSchema)]
struct Status {
    /// `operator.enabled` of the old file; null without one.
    enabled: Option<bool>,
    /// Sending is stopped.
    emergency_stop: bool,
    /// Today, in the business time zone.
    date: String,
    /// Limits of today.
    warmup_schedule: Schedule,
    /// Where the ramp stands.
    ramp: Ramp,
    /// What today has seen.
    today: Seen,
    /// What is left of today.
    limits: Left,
    /// Who is in the follow-up.
    cadence: Summary,
    /// What waits for approval.
    gatekeeper: Gatekeeper,
    /// The old file's routing and revival.
    config: Config,
}

/// Limits of one day.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Schedule {
    /// E-mails a day.
    email_daily_limit: u32,
    /// LinkedIn contacts a day.
    linkedin_daily_limit: u32,
    /// First day of the LinkedIn warm-up, as configured.
    linkedin_warmup_start: String,
    /// Full weeks since then.
    linkedin_warmup_week: u32,
    /// The warm-up still holds.
    is_linkedin_warmup: bool,
    /// Revivals a day.
    revival_daily_limit: u32,
}

/// Where the ramp stands.
#[derive(Debug, Serialize, ToSchema)]
struct Ramp {
    /// As configured.
    enabled: bool,
    /// Limit and tier apply.
    active: bool,
    /// Which day it is.
    day: u32,
    /// Clean days that are still needed.
    remaining_days: u32,
    /// E-mails a day while it is active.
    email_limit_override: Option<u32>,
    /// The only tier while it is active.
    tier_filter: Option<Tier>,
    /// What is wrong with its configuration.
    problem: Option<String>,
}

/// What today has seen.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SeenToday)]
struct Seen {
    /// E-mails sent or reserved.
    outbound_email: u64,
    /// LinkedIn contacts made or reserved.
    outbound_linkedin: u64,
    /// Revivals.
    revival: u64,
    /// Follow-ups.
    cadence: u64,
    /// All messages.
    total_leads: u64,
    /// Live runs.
    runs: u64,
    /// When the last live run began, on whatever day, RFC 3339 UTC.
    last_run: Option<String>,
}

/// What is left of today.
#[derive(Debug, Serialize, ToSchema)]
struct Left {
    /// E-mails.
    email_remaining: u64,
    /// LinkedIn contacts.
    linkedin_remaining: u64,
    /// Revivals.
    revival_remaining: u64,
}

/// What waits for approval.
#[derive(Debug, Serialize, ToSchema)]
struct Gatekeeper {
    /// Always: nothing goes live without an approved batch.
    required: bool,
    /// The newest pending batch.
    pending_batch: Option<DispatchBatch>,
}

/// The old file's routing and revival.
#[derive(Debug, Serialize, ToSchema)]
struct Config {
    /// Who may deliver to a tier.
    tier_routing: BTreeMap<String, Vec<Provider>>,
    /// `operator.revival.enabled`
    revival_enabled: bool,
    /// Stages that are looked at.
    revival_stages: Vec<String>,
}

/// How many.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HowMany {
    /// 1 to 200; 50 where it is not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// What a run did. What cannot be known from records is null, not 0.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Report {
    /// The run; null where nothing ran.
    pub(super) run_id: Option<String>,
    /// When it began, RFC 3339 UTC.
    pub(super) started_at: String,
    /// When its outcomes were written, RFC 3339 UTC.
    pub(super) completed_at: Option<String>,
    /// It shows what would happen, and has written nothing.
    pub(super) dry_run: bool,
    /// Programme.
    pub(super) motion: Motion,
    /// What Instantly made of it.
    pub(super) instantly_report: Option<ProviderCounts>,
    /// What HeyReach made of it.
    pub(super) heyreach_report: Option<ProviderCounts>,
    /// What GoHighLevel made of it.
    pub(super) ghl_report: Option<ProviderCounts>,
    /// Revivals that a provider took.
    pub(super) revival_dispatched: Option<u32>,
    /// Follow-ups that a provider took.
    pub(super) cadence_dispatched: Option<u32>,
    /// What went wrong, or stands against it.
    pub(super) errors: Vec<String>,
    /// A batch waits for approval.
    pub(super) pending_approval: bool,
    /// The batch.
    pub(super) batch_id: Option<String>,
    /// Where the batch stands.
    pub(super) batch_status: Option<BatchStatus>,
}

/// The newest pending batch, or that there is none.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Pending {
    /// It.
    Batch(Box<DispatchBatch>),
    /// There is none.
    None {
        /// `no_pending_batch`.
        status: &'static str,
        /// In words.
        message: &'static str,
    },
}

/// A batch after a decision.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OperatorDecided)]
struct Decided {
    /// Where it stands now.
    status: BatchStatus,
    /// The batch.
    batch: DispatchBatch,
}

/// Where everything stands. Reading it changes nothing.
#[utoipa::path(
    get, path = "/api/operator/status", tag = "operator", security(("token" = ["viewer"])),
    responses((status = 200, body = Status), (status = 503, body = ProblemDocument))
)]
async fn status(State(service): State<Arc<Service>>) -> Result<Json<Status>> {
    let (store, context) = (&*service.store, &service.context);
    let policy = context.policy(store).await?;
    let production = context.production()?.map(|it| it.production);
    let today = runs::today(store, context.clock.now(), &context.zone()?).await?;
    let pending = match batches::newest(store, BatchStatus::Pending, Motion::All).await? {
        Some(batch) => Some(shown(store, batch).await?),
        None => None,
    };
    let is_stopped = stop::read(store).await?.is_some() || context.brake().holds();
    let routing = production.iter().flat_map(|it| &it.routing);
    Ok(Json(Status {
        enabled: production.as_ref().and_then(|it| it.operator_enabled),
        emergency_stop: is_stopped,
        date: today.date.to_string(),
        ramp: Ramp {
            enabled: policy.ramp.enabled,
            active: policy.ramp.active,
            day: policy.ramp.day,
            remaining_days: policy.ramp.remaining_days,
            email_limit_override: policy.ramp.email_limit,
            tier_filter: policy.ramp.tier,
            problem: policy.ramp.problem.as_ref().map(ToString::to_string),
        },
        limits: left(&policy, &today),
        today: seen(today),
        cadence: summarized(&service).await?,
        gatekeeper: Gatekeeper {
            required: true,
            pending_batch: pending,
        },
        config: Config {
            tier_routing: routing
                .map(|(tier, to)| (tier.to_string(), to.clone()))
                .collect(),
            revival_enabled: production.as_ref().is_some_and(|it| it.revival.enabled),
            revival_stages: production.map(|it| it.revival.stages).unwrap_or_default(),
        },
        warmup_schedule: schedule(&policy),
    }))
}

fn schedule(policy: &Policy) -> Schedule {
    let schedule = &policy.schedule;
    Schedule {
        email_daily_limit: policy.limits.email_per_day,
        linkedin_daily_limit: policy.limits.linkedin_per_day,
        linkedin_warmup_start: schedule.linkedin_start.clone(),
        linkedin_warmup_week: schedule.linkedin_week,
        is_linkedin_warmup: schedule.linkedin_warming_up,
        revival_daily_limit: policy.limits.revival_per_day,
    }
}

fn left(policy: &Policy, today: &Today) -> Left {
    let limits = &policy.limits;
    let left = |limit: u32, used: u64| u64::from(limit).saturating_sub(used);
    Left {
        email_remaining: left(limits.email_per_day, today.email),
        linkedin_remaining: left(limits.linkedin_per_day, today.linkedin),
        revival_remaining: left(limits.revival_per_day, today.revival),
    }
}

fn seen(today: Today) -> Seen {
    Seen {
        outbound_email: today.email,
        outbound_linkedin: today.linkedin,
        revival: today.revival,
        cadence: today.follow_ups,
        total_leads: today.email + today.linkedin,
        runs: today.runs,
        last_run: today.last_run,
    }
}

/// Live runs, newest first.
#[utoipa::path(
    get, path = "/api/operator/history", tag = "operator", params(HowMany),
    security(("token" = ["viewer"])),
    responses((status = 200, body = Vec<Report>), (status = 422, body = ProblemDocument))
)]
async fn history(
    State(service): State<Arc<Service>>,
    Asked(HowMany { limit }): Asked<HowMany>,
) -> Result<Json<Vec<Report>>> {
    let limit = bounded(limit, RUNS)?;
    let runs = runs::recent(&*service.store, limit).await?;
    Ok(Json(runs.into_iter().map(Report::from).collect()))
}

/// A limit from 1 to the most that a list has.
pub(super) fn bounded(limit: Option<usize>, (usual, most): (usize, usize)) -> Result<usize> {
    match limit.unwrap_or(usual) {
        limit if (1..=most).contains(&limit) => Ok(limit),
        other => Err(Problem::invalid(
            "request.limit",
            format!("`limit` is {other}; expected 1 to {most}"),
        )),
    }
}

impl From<LiveRun> for Report {
    fn from(run: LiveRun) -> Self {
        let of = |provider| run.providers.get(&provider).copied();
        let is_revival = run.motion == Motion::Revival;
        let taken = run.providers.values().map(|it| it.total_dispatched).sum();
        Self {
            instantly_report: of(Provider::Instantly),
            heyreach_report: of(Provider::HeyReach),
            ghl_report: of(Provider::Ghl),
            revival_dispatched: Some(if is_revival { taken } else { 0 }),
            cadence_dispatched: Some(run.follow_ups),
            run_id: Some(run.run),
            started_at: run.started_at,
            completed_at: run.settled_at,
            dry_run: false,
            motion: run.motion,
            errors: Vec::new(),
            pending_approval: false,
            batch_id: Some(run.batch),
            batch_status: Some(run.status),
        }
    }
}

/// The newest batch that waits for approval.
#[utoipa::path(
    get, path = "/api/operator/pending-batch", tag = "operator", security(("token" = ["viewer"])),
    responses((status = 200, body = Pending))
)]
async fn pending(State(service): State<Arc<Service>>) -> Result<Json<Pending>> {
    let store = &*service.store;
    Ok(Json(
        match batches::newest(store, BatchStatus::Pending, Motion::All).await? {
            Some(batch) => Pending::Batch(Box::new(shown(store, batch).await?)),
            None => Pending::None {
                status: "no_pending_batch",
                message: "no batch waits for approval",
            },
        },
    ))
}

/// Approves and seals exactly what was seen.
#[utoipa::path(
    post, path = "/api/operator/approve-batch/{batch_id}", tag = "operator",
    security(("token" = ["approver"])),
    params(("batch_id" = String, Path, description = "The batch")),
    request_body = Approval,
    responses(
        (status = 200, body = Decided), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument),
    )
)]
async fn approve(
    State(service): State<Arc<Service>>,
    who: Principal,
    Id(id): Id,
    Body(approval): Body<Approval>,
) -> Result<Json<Decided>> {
    let batch = approve_seen(&service, &who, &id, approval).await?;
    let (status, batch) = (batch.status, shown(&*service.store, batch).await?);
    Ok(Json(Decided { status, batch }))
}

/// Says no to a pending or an approved batch.
#[utoipa::path(
    post, path = "/api/operator/reject-batch/{batch_id}", tag = "operator",
    security(("token" = ["approver"])),
    params(("batch_id" = String, Path, description = "The batch")),
    request_body = Why,
    responses(
        (status = 200, body = Decided), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument),
    )
)]
async fn reject(
    State(service): State<Arc<Service>>,
    who: Principal,
    Id(id): Id,
    Body(Why { reason }): Body<Why>,
) -> Result<Json<Decided>> {
    let batch = service.deciding(&who).reject(&id, &reason).await?;
    let (status, batch) = (batch.status, shown(&*service.store, batch).await?);
    Ok(Json(Decided { status, batch }))
}
