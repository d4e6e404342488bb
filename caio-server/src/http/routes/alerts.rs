//! What people were told, and whether they were.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use caio_dispatch::notify::{self, AlertState, Listed};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::access::Principal;
use crate::http::input::{Asked, Id};
use crate::http::paging;
use crate::http::problem::{ProblemDocument, Result};
use crate::http::service::Service;

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(acknowledge))
}

/// Where an alert stands.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AlertState)]
enum Standing {
    /// It reached nobody.
    Dead,
    /// Somebody was told.
    Delivered,
    /// It is still to be delivered.
    Waiting,
}

/// Which alerts.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// `dead`, `delivered` or `waiting`.
    state: Option<Standing>,
    /// At most so many, 1 to 500; 50 where it is not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// An alert.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertShown)]
struct Shown {
    /// Its id.
    id: String,
    /// When it was raised, RFC 3339 UTC.
    raised_at: String,
    /// 1 (Slack), 2 (and SMS) or 3 (and e-mail).
    level: u8,
    /// What kind of thing it is.
    kind: String,
    /// What it is about.
    subject: String,
    /// One line.
    title: String,
    /// What is behind it.
    text: String,
    /// Where it stands.
    state: Standing,
    /// By channel: `sent`, `fell_back`, `not_configured` or `failed`; empty while it waits.
    results: BTreeMap<String, String>,
    /// By channel, what was said last.
    details: BTreeMap<String, String>,
    /// How many of the same were folded into it since.
    folded_since: u32,
    /// Who has seen it.
    acknowledged_by: Option<String>,
    /// When, RFC 3339 UTC.
    acknowledged_at: Option<String>,
}

/// Alerts, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct Alerts {
    /// The alerts.
    alerts: Vec<Shown>,
}

/// An alert that somebody has seen.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertSeen)]
struct Seen {
    /// The alert.
    alert: Shown,
}

impl From<Listed> for Shown {
    fn from(listed: Listed) -> Self {
        let Listed {
            alert,
            folded_since,
        } = listed;
        let results = alert.results.iter();
        let tried = alert.channels.iter();
        let seen = alert.acknowledged;
        Self {
            results: results
                .map(|(channel, result)| (channel.to_string(), result.to_string()))
                .collect(),
            details: tried
                .map(|(channel, tried)| (channel.to_string(), tried.detail.clone()))
                .collect(),
            id: alert.id,
            raised_at: alert.raised_at,
            level: alert.level.number(),
            kind: alert.kind,
            subject: alert.subject,
            title: alert.title,
            text: alert.text,
            state: match alert.state {
                AlertState::Dead => Standing::Dead,
                AlertState::Delivered => Standing::Delivered,
                AlertState::Waiting => Standing::Waiting,
            },
            folded_since,
            acknowledged_by: seen.as_ref().map(|it| it.by.clone()),
            acknowledged_at: seen.map(|it| it.at),
        }
    }
}

/// The newest alerts, with what became of each channel.
#[utoipa::path(
    get, path = "/api/alerts", tag = "alerts", params(Which), security(("token" = ["viewer"])),
    responses((status = 200, body = Alerts), (status = 422, body = ProblemDocument))
)]
async fn list(
    State(service): State<Arc<Service>>,
    Asked(which): Asked<Which>,
) -> Result<Json<Alerts>> {
    let size = paging::size(which.limit)?;
    let state = which.state.map(|state| match state {
        Standing::Dead => AlertState::Dead,
        Standing::Delivered => AlertState::Delivered,
        Standing::Waiting => AlertState::Waiting,
    });
    let listed = notify::list(&*service.store, state, size).await?;
    Ok(Json(Alerts {
        alerts: listed.into_iter().map(Shown::from).collect(),
    }))
}

/// Says that an alert was seen; who saw it first stays.
#[utoipa::path(
    post, path = "/api/alerts/{id}/acknowledge", tag = "alerts", security(("token" = ["approver"])),
    params(("id" = String, Path, description = "The alert")),
    responses((status = 200, body = Seen), (status = 404, body = ProblemDocument))
)]
async fn acknowledge(
    State(service): State<Arc<Service>>,
    who: Principal,
    Id(id): Id,
) -> Result<Json<Seen>> {
    let context = &service.context;
    let time = (&*context.clock, &*context.ids);
    let alert = notify::acknowledge(&*service.store, time, &who.name, &id).await?;
    let listed = Listed {
        alert,
        folded_since: 0,
    };
    Ok(Json(Seen {
        alert: listed.into(),
    }))
}
