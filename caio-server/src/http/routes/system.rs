//! What the service rests on, and what bounds it: providers, limits, dependencies, what happened.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use caio_core::limits::WindowName;
use caio_core::time::rfc3339;
use caio_dispatch::history::{self, Event};
use caio_dispatch::windows::{self, Used};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::operator::bounded;
use crate::http::health::Component;
use crate::http::input::{Asked, Body};
use crate::http::layers::RequestId;
use crate::http::problem::{Problem, ProblemDocument, Result};
use crate::http::service::Service;

/// Events shown as actions, and most of them.
const ACTIONS: (usize, usize) = (20, 200);

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(metrics))
        .routes(routes!(integrations))
        .routes(routes!(guardrails))
        .routes(routes!(actions))
        .routes(routes!(dependencies))
        .routes(routes!(correlation))
        .routes(routes!(frontend_error))
}

/// Over which time; only echoed, as ever.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Period {
    /// 1 to 720; 24 where it is not given.
    #[param(minimum = 1, maximum = 720)]
    hours: Option<usize>,
}

/// How many.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HowMany {
    /// 1 to 200; 20 where it is not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// Components and limits. `/metrics` has the counters.
#[derive(Debug, Serialize, ToSchema)]
struct Metrics {
    /// As asked.
    period_hours: usize,
    /// The store and the providers.
    components: Vec<Component>,
    /// Limits of e-mail.
    email_limits: BTreeMap<String, Limit>,
    /// When this was read, RFC 3339 UTC.
    collected_at: String,
}

/// The providers.
#[derive(Debug, Serialize, ToSchema)]
struct Integrations {
    /// By name.
    integrations: BTreeMap<String, Component>,
    /// When this was read, RFC 3339 UTC.
    timestamp: String,
}

/// A limit, and what is left of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Limit {
    /// Sent or reserved.
    sent: u64,
    /// The same.
    current: u64,
    /// Most.
    limit: u32,
    /// What is left.
    remaining: u64,
    /// Used, in percent; null where the limit is 0.
    percent: Option<f64>,
    /// When it begins anew, RFC 3339 UTC.
    reset_at: Option<String>,
}

/// What bounds sending.
#[derive(Debug, Serialize, ToSchema)]
struct Guardrails {
    /// What stands in the way of sending at all.
    guardrails: Guards,
    /// All limits by name.
    rate_limits: BTreeMap<String, Limit>,
    /// Limits of e-mail.
    email_limits: BTreeMap<String, Limit>,
    /// When this was read, RFC 3339 UTC.
    timestamp: String,
}

/// What stands in the way of sending at all.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SystemGuards)]
struct Guards {
    /// Sending is stopped.
    stopped: bool,
    /// The ramp lowers limit and tier.
    ramp_active: bool,
    /// Nothing goes live without an approved batch: always.
    batch_required: bool,
}

/// What happened last.
#[derive(Debug, Serialize, ToSchema)]
struct Actions {
    /// Newest first.
    actions: Vec<Event>,
    /// How many of them.
    total: usize,
    /// When this was read, RFC 3339 UTC.
    timestamp: String,
}

/// What the service rests on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Dependencies {
    /// `ready` or `not_ready`.
    status: &'static str,
    /// Everything that is required works.
    ready: bool,
    /// When this was asked, RFC 3339 UTC.
    checked_at: String,
    /// By name.
    dependencies: BTreeMap<&'static str, Dependency>,
    /// What is required and does not work.
    required_failures: Vec<String>,
    /// How callers prove who they are.
    auth: Auth,
}

/// One of them.
#[derive(Debug, Serialize, ToSchema)]
struct Dependency {
    /// Its name.
    name: &'static str,
    /// The service cannot do its work without it.
    required: bool,
    /// It is set up.
    configured: bool,
    /// It answered.
    connected: bool,
    /// `healthy`, `unhealthy` or `not_configured`.
    status: &'static str,
    /// It stands in the way of nothing.
    ready: bool,
    /// In words.
    message: String,
    /// How long it took to answer, milliseconds.
    latency_ms: Option<u64>,
}

/// How callers prove who they are.
#[derive(Debug, Serialize, ToSchema)]
struct Auth {
    /// Always, unless development is named on this machine.
    strict_mode: bool,
    /// `?token=` is taken as well.
    query_token_enabled: bool,
    /// Name of the header.
    token_header: &'static str,
    /// `DASHBOARD_AUTH_TOKEN` is set.
    token_configured: bool,
}

/// The id of this request.
#[derive(Debug, Serialize, ToSchema)]
struct Correlation {
    /// It.
    correlation_id: String,
    /// RFC 3339 UTC.
    timestamp: String,
}

/// What went wrong in a page. Only kind and message are kept, cut short.
#[derive(Debug, Deserialize, ToSchema)]
struct FrontendError {
    /// What the browser said.
    message: Option<String>,
    /// Which kind of call reported it.
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// It stands in the log.
#[derive(Debug, Serialize, ToSchema)]
struct Logged {
    /// `logged`
    status: &'static str,
    /// Id of this request, to find it there.
    correlation_id: String,
    /// RFC 3339 UTC.
    timestamp: String,
}

/// Components and limits, in the old shape.
#[utoipa::path(
    get, path = "/api/metrics", tag = "system", params(Period), security(("token" = ["viewer"])),
    responses((status = 200, body = Metrics), (status = 422, body = ProblemDocument))
)]
async fn metrics(
    State(service): State<Arc<Service>>,
    Asked(Period { hours }): Asked<Period>,
) -> Result<Json<Metrics>> {
    let period_hours = bounded(hours, (24, 720))?;
    let mut components = vec![service.store_health().await];
    components.extend(service.providers().await.into_values());
    Ok(Json(Metrics {
        period_hours,
        components,
        email_limits: email(limits(&service).await?),
        collected_at: now(&service),
    }))
}

/// The providers: which have a key, and whether they answer.
#[utoipa::path(
    get, path = "/api/integrations", tag = "system", security(("token" = ["viewer"])),
    responses((status = 200, body = Integrations))
)]
async fn integrations(State(service): State<Arc<Service>>) -> Json<Integrations> {
    Json(Integrations {
        integrations: service.providers().await,
        timestamp: now(&service),
    })
}

/// What bounds sending, and what is left.
#[utoipa::path(
    get, path = "/api/guardrails", tag = "system", security(("token" = ["viewer"])),
    responses((status = 200, body = Guardrails), (status = 503, body = ProblemDocument))
)]
async fn guardrails(State(service): State<Arc<Service>>) -> Result<Json<Guardrails>> {
    let (store, context) = (&*service.store, &service.context);
    let flag = caio_state::stop::read(store).await?;
    let policy = context.policy(store).await?;
    Ok(Json(Guardrails {
        guardrails: Guards {
            stopped: flag.is_some() || context.brake().holds(),
            ramp_active: policy.ramp.active,
            batch_required: true,
        },
        rate_limits: limits(&service).await?,
        email_limits: email(limits(&service).await?),
        timestamp: now(&service),
    }))
}

/// Every limit by name: `email_daily`, `email_monthly`, `linkedin_daily`, `revival_daily` and such.
pub(super) async fn limits(service: &Service) -> Result<BTreeMap<String, Limit>> {
    let (store, context) = (&*service.store, &service.context);
    let policy = context.policy(store).await?;
    let zone = context.zone()?;
    let used = windows::used(store, &policy.limits, context.clock.now(), &zone).await?;
    Ok(used.into_iter().map(limit).collect())
}

fn limit(Used { window, used }: Used) -> (String, Limit) {
    let what = window.key.split(':').next().unwrap_or("");
    let period = match window.name {
        WindowName::Hour => "hourly",
        WindowName::Month => "monthly",
        _ => "daily",
    };
    let limit = Limit {
        sent: used,
        current: used,
        limit: window.ceiling,
        remaining: u64::from(window.ceiling).saturating_sub(used),
        percent: percent(used, window.ceiling),
        reset_at: window.ends.map(rfc3339),
    };
    (format!("{what}_{period}"), limit)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a percentage of counts far below 2^52"
)]
fn percent(used: u64, ceiling: u32) -> Option<f64> {
    (ceiling > 0).then(|| (used as f64 * 1000.0 / f64::from(ceiling)).round() / 10.0)
}

fn email(limits: BTreeMap<String, Limit>) -> BTreeMap<String, Limit> {
    let of_email = limits.into_iter();
    of_email
        .filter_map(|(name, limit)| Some((name.strip_prefix("email_")?.to_owned(), limit)))
        .collect()
}

/// What happened last.
#[utoipa::path(
    get, path = "/api/actions", tag = "system", params(HowMany), security(("token" = ["viewer"])),
    responses((status = 200, body = Actions), (status = 422, body = ProblemDocument))
)]
async fn actions(
    State(service): State<Arc<Service>>,
    Asked(HowMany { limit }): Asked<HowMany>,
) -> Result<Json<Actions>> {
    let limit = bounded(limit, ACTIONS)?;
    let actions = history::newest(&*service.store, None, limit).await?;
    Ok(Json(Actions {
        total: actions.len(),
        actions,
        timestamp: now(&service),
    }))
}

/// What the service rests on, asked now.
#[utoipa::path(
    get, path = "/api/runtime/dependencies", tag = "system", security(("token" = ["viewer"])),
    responses((status = 200, body = Dependencies))
)]
async fn dependencies(State(service): State<Arc<Service>>) -> Json<Dependencies> {
    Json(depends(&service).await)
}

/// What the service rests on, in the old shape: `redis` is the store where that is one.
pub(super) async fn depends(service: &Service) -> Dependencies {
    let store = service.store_health().await;
    let is_up = store.status == "healthy";
    let stored = |name| Dependency {
        name,
        required: true,
        configured: true,
        connected: is_up,
        status: store.status,
        ready: is_up,
        message: match &store.last_error {
            Some(error) => error.clone(),
            None => "answers".to_owned(),
        },
        latency_ms: store.latency_ms,
    };
    let unused = |name, message: &str| Dependency {
        name,
        required: false,
        configured: false,
        connected: false,
        status: "not_configured",
        ready: true,
        message: message.to_owned(),
        latency_ms: None,
    };
    let redis = if service.context.is_shared() {
        stored("redis")
    } else {
        unused("redis", "the store is not on Redis")
    };
    let inngest = unused("inngest", "nothing here is started by Inngest");
    let dependencies = [stored("store"), redis, inngest];
    let failures = dependencies.iter().filter(|it| !it.ready);
    Dependencies {
        status: if is_up { "ready" } else { "not_ready" },
        ready: is_up,
        checked_at: now(service),
        required_failures: failures
            .map(|it| format!("{}: {}", it.name, it.message))
            .collect(),
        dependencies: dependencies.into_iter().map(|it| (it.name, it)).collect(),
        auth: Auth {
            strict_mode: !service.gate.is_open(),
            query_token_enabled: service.gate.takes_query(),
            token_header: "X-Dashboard-Token",
            token_configured: service.gate.has_environment_token(),
        },
    }
}

/// The id of this request, as it stands in the log.
#[utoipa::path(
    get, path = "/api/debug/correlation-id", tag = "system", security(("token" = ["viewer"])),
    responses((status = 200, body = Correlation))
)]
async fn correlation(
    State(service): State<Arc<Service>>,
    axum::Extension(id): axum::Extension<RequestId>,
) -> Json<Correlation> {
    Json(Correlation {
        correlation_id: id.as_str().to_owned(),
        timestamp: now(&service),
    })
}

/// Takes note of what went wrong in a page: in the log, cut short, and so many a minute at most.
#[utoipa::path(
    post, path = "/api/errors/frontend", tag = "system", security(("token" = ["viewer"])),
    request_body = FrontendError,
    responses(
        (status = 200, body = Logged), (status = 422, body = ProblemDocument),
        (status = 429, body = ProblemDocument),
    )
)]
async fn frontend_error(
    State(service): State<Arc<Service>>,
    axum::Extension(id): axum::Extension<RequestId>,
    Body(error): Body<FrontendError>,
) -> Result<Json<Logged>> {
    if service.page_errors.check().is_err() {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let detail = "too many errors of pages are reported";
        return Err(Problem::new(status, "errors.too_many", detail).retry_after(60));
    }
    let short = |text: Option<String>, most| -> String {
        let text = text.unwrap_or_default();
        text.chars()
            .filter(|it| !it.is_control())
            .take(most)
            .collect()
    };
    tracing::warn!(
        event.kind = "page", request.id = id.as_str(), error.kind = %short(error.kind, 40),
        message = %short(error.message, 300), "a page reports an error"
    );
    Ok(Json(Logged {
        status: "logged",
        correlation_id: id.as_str().to_owned(),
        timestamp: now(&service),
    }))
}

fn now(service: &Service) -> String {
    rfc3339(service.context.clock.now())
}
