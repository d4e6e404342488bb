//! Whether the service lives, and whether it can do its work.

mod object;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use caio_core::time::rfc3339;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::system::depends;
use crate::http::problem::{Problem, Result};
use crate::http::service::Service;
use object::HealthObject;
pub(crate) use object::health_object;

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(live))
        .routes(routes!(ready))
        .routes(routes!(health))
        .routes(routes!(metrics))
}

/// The process answers.
#[derive(Debug, Serialize, ToSchema)]
struct Live {
    /// `alive`.
    status: &'static str,
    /// RFC 3339 UTC.
    timestamp: String,
}

/// Whether the service can do its work.
#[derive(Debug, Serialize, ToSchema)]
struct Ready {
    /// `ready`, `healthy` or `unhealthy`.
    status: &'static str,
    /// RFC 3339 UTC.
    timestamp: String,
    /// `ok` or `fail`, by what was looked at.
    checks: BTreeMap<&'static str, &'static str>,
}

/// The short answer, or the whole.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Answer {
    /// Without a token.
    Short(Ready),
    /// With one.
    Whole(Box<HealthObject>),
}

/// The process answers.
#[utoipa::path(
    get, path = "/api/health/live", tag = "service", security(()),
    responses((status = 200, body = Live))
)]
async fn live(State(service): State<Arc<Service>>) -> Json<Live> {
    Json(Live {
        status: "alive",
        timestamp: rfc3339(service.context.clock.now()),
    })
}

/// The service can do its work: its store answers.
#[utoipa::path(
    get, path = "/api/health/ready", tag = "service", security(()),
    responses((status = 200, body = Ready), (status = 503, description = "It cannot"))
)]
async fn ready(State(service): State<Arc<Service>>) -> Result<Json<Ready>> {
    let checks = checks(&service).await;
    if checks.values().any(|it| *it != "ok") {
        let failing: Vec<&str> = checks
            .iter()
            .filter(|(_, it)| **it != "ok")
            .map(|(name, _)| *name)
            .collect();
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "service.not_ready",
            format!("Runtime dependencies not ready: {}", failing.join(", ")),
        )
        .retry_after(5));
    }
    Ok(Json(Ready {
        status: "ready",
        timestamp: rfc3339(service.context.clock.now()),
        checks,
    }))
}

/// The same, always 200. Who shows a token sees the whole of it, in the old shape.
#[utoipa::path(
    get, path = "/api/health", tag = "service", security(()),
    responses((status = 200, body = Answer))
)]
async fn health(State(service): State<Arc<Service>>, request: Request) -> Json<Answer> {
    let (parts, _) = request.into_parts();
    if service.gate.admit(&service, &parts).await.is_ok() {
        let mut health = health_object(&service).await;
        health.runtime_dependencies = Some(depends(&service).await);
        return Json(Answer::Whole(Box::new(health)));
    }
    let checks = checks(&service).await;
    let is_healthy = checks.values().all(|it| *it == "ok");
    Json(Answer::Short(Ready {
        status: if is_healthy { "healthy" } else { "unhealthy" },
        timestamp: rfc3339(service.context.clock.now()),
        checks,
    }))
}

/// What Prometheus reads.
#[utoipa::path(
    get, path = "/metrics", tag = "service", security(("token" = ["viewer"])),
    responses((status = 200, description = "Metrics in the text format", body = String))
)]
async fn metrics(State(service): State<Arc<Service>>) -> Result<String> {
    match &service.metrics {
        Some(handle) => Ok(handle.render()),
        None => Err(Problem::not_found("metrics are not collected here")),
    }
}

async fn checks(service: &Service) -> BTreeMap<&'static str, &'static str> {
    let store = match service.store.ping().await {
        Ok(()) => "ok",
        Err(_) => "fail",
    };
    BTreeMap::from([("store", store)])
}
