//! The scorecard, from what is counted; what is not has no value.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use caio_core::scorecard::{Measure, Standing, constraint, measures};
use caio_core::time::rfc3339;
use caio_dispatch::board;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::problem::Result;
use crate::http::service::Service;

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(scorecard))
        .routes(routes!(refresh))
        .routes(routes!(held_back))
        .routes(routes!(markdown))
}

/// The scorecard.
#[derive(Debug, Serialize, ToSchema)]
struct Scorecard {
    /// The measures.
    scorecard: Measures,
    /// The one that holds the rest back.
    constraint: Option<Constraint>,
    /// When it was computed, RFC 3339 UTC: now.
    last_refresh: String,
    /// The same.
    generated_at: String,
}

/// The measures.
#[derive(Debug, Serialize, ToSchema)]
struct Measures {
    /// By category.
    metrics_by_category: BTreeMap<&'static str, Vec<Metric>>,
    /// How many stand how.
    status_summary: Summary,
    /// All of them.
    total_metrics: usize,
}

/// How many stand how.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Summary {
    /// At the target or above.
    on_track: usize,
    /// Below it.
    at_risk: usize,
    /// Below the warning.
    off_track: usize,
    /// Nothing here counts them.
    no_data: usize,
}

/// One measure.
#[derive(Debug, Serialize, ToSchema)]
struct Metric {
    /// Id.
    id: &'static str,
    /// The same in words.
    name: String,
    /// Percent; null where nothing counts it.
    value: Option<f64>,
    /// Percent.
    target: f64,
    /// Percent.
    warning_threshold: f64,
    /// `%`
    unit: &'static str,
    /// Category.
    category: &'static str,
    /// `on_track`, `at_risk` or `off_track`; null without a value.
    status: Option<&'static str>,
    /// Value less target; null without a value.
    gap_to_target: Option<f64>,
    /// The same in percent of the target; null without a value.
    gap_percentage: Option<f64>,
    /// How it is computed, or why it has no value.
    description: &'static str,
}

impl From<&Measure> for Metric {
    fn from(it: &Measure) -> Self {
        Self {
            id: it.id,
            name: it.id.replace('_', " "),
            value: it.value,
            target: it.target,
            warning_threshold: it.warning,
            unit: "%",
            category: it.category,
            status: it.standing().map(Standing::as_str),
            gap_to_target: it.value.map(|value| value - it.target),
            gap_percentage: it.gap_percent(),
            description: it.description,
        }
    }
}

/// The measure that holds the rest back.
#[derive(Debug, Serialize, ToSchema)]
struct Constraint {
    /// Id.
    metric_id: &'static str,
    /// The same in words.
    metric_name: String,
    /// Percent.
    current_value: Option<f64>,
    /// Percent.
    target_value: f64,
    /// Distance in percent of the target.
    gap_percentage: Option<f64>,
    /// `critical` where several are off track, `high` for one, `medium` where it is only at risk.
    severity: &'static str,
    /// When it was computed, RFC 3339 UTC.
    detected_at: String,
}

/// The constraint, or that there is none.
#[derive(Debug, Serialize, ToSchema)]
struct HeldBack {
    /// It.
    constraint: Option<Constraint>,
    /// In words.
    message: &'static str,
}

/// The scorecard as text.
#[derive(Debug, Serialize, ToSchema)]
struct Markdown {
    /// It.
    markdown: String,
}

/// It was computed.
#[derive(Debug, Serialize, ToSchema)]
struct Refreshed {
    /// `refreshed`
    status: &'static str,
    /// When, RFC 3339 UTC.
    timestamp: String,
}

/// The scorecard, computed now.
#[utoipa::path(
    get, path = "/api/scorecard", tag = "scorecard", security(("token" = ["viewer"])),
    responses((status = 200, body = Scorecard))
)]
async fn scorecard(State(service): State<Arc<Service>>) -> Result<Json<Scorecard>> {
    let measures = measures(&board::counts(&*service.store).await?);
    let now = rfc3339(service.context.clock.now());
    let mut by_category: BTreeMap<_, Vec<Metric>> = BTreeMap::new();
    for measure in &measures {
        by_category
            .entry(measure.category)
            .or_default()
            .push(measure.into());
    }
    Ok(Json(Scorecard {
        scorecard: Measures {
            metrics_by_category: by_category,
            status_summary: summary(&measures),
            total_metrics: measures.len(),
        },
        constraint: held(&measures, &now),
        last_refresh: now.clone(),
        generated_at: now,
    }))
}

fn summary(measures: &[Measure]) -> Summary {
    let mut summary = Summary::default();
    for measure in measures {
        *match measure.standing() {
            Some(Standing::OnTrack) => &mut summary.on_track,
            Some(Standing::AtRisk) => &mut summary.at_risk,
            Some(Standing::OffTrack) => &mut summary.off_track,
            None => &mut summary.no_data,
        } += 1;
    }
    summary
}

fn held(measures: &[Measure], now: &str) -> Option<Constraint> {
    let worst = constraint(measures)?;
    Some(Constraint {
        metric_id: worst.id,
        metric_name: worst.id.replace('_', " "),
        current_value: worst.value,
        target_value: worst.target,
        gap_percentage: worst.gap_percent(),
        severity: match summary(measures).off_track {
            0 => "medium",
            1 => "high",
            _ => "critical",
        },
        detected_at: now.to_owned(),
    })
}

/// The scorecard is computed at each request, so there is nothing to refresh; old callers ask.
#[utoipa::path(
    post, path = "/api/scorecard/refresh", tag = "scorecard", security(("token" = ["viewer"])),
    responses((status = 200, body = Refreshed))
)]
async fn refresh(State(service): State<Arc<Service>>) -> Json<Refreshed> {
    Json(Refreshed {
        status: "refreshed",
        timestamp: rfc3339(service.context.clock.now()),
    })
}

/// The measure that holds the rest back.
#[utoipa::path(
    get, path = "/api/scorecard/constraint", tag = "scorecard", security(("token" = ["viewer"])),
    responses((status = 200, body = HeldBack))
)]
async fn held_back(State(service): State<Arc<Service>>) -> Result<Json<HeldBack>> {
    let measures = measures(&board::counts(&*service.store).await?);
    let constraint = held(&measures, &rfc3339(service.context.clock.now()));
    let message = match &constraint {
        Some(_) => "this measure is the furthest from its target",
        None => "no measure with a value is below its target",
    };
    Ok(Json(HeldBack {
        constraint,
        message,
    }))
}

/// The scorecard as text.
#[utoipa::path(
    get, path = "/api/scorecard/markdown", tag = "scorecard", security(("token" = ["viewer"])),
    responses((status = 200, body = Markdown))
)]
async fn markdown(State(service): State<Arc<Service>>) -> Result<Json<Markdown>> {
    let measures = measures(&board::counts(&*service.store).await?);
    let mut markdown = "| measure | value | target | status |\n|---|---|---|---|\n".to_owned();
    for it in &measures {
        let value = it.value.map_or("no data".to_owned(), |it| format!("{it}%"));
        let status = it.standing().map_or("", Standing::as_str);
        let (id, target) = (it.id, it.target);
        markdown.push_str(&format!("| {id} | {value} | {target}% | {status} |\n"));
    }
    Ok(Json(Markdown { markdown }))
}
