//! Who decided what, and when.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use caio_dispatch::history::{self, Event};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::person;
use crate::http::input::Asked;
use crate::http::paging;
use crate::http::problem::{ProblemDocument, Result};
use crate::http::service::Service;

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which events.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// About this person alone.
    email: Option<String>,
    /// Entries a page, 1 to 500; 50 where it is not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// A page of events, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct Events {
    /// The events.
    events: Vec<Event>,
    /// Pass as `cursor` to go on; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What happened, newest first.
#[utoipa::path(
    get, path = "/api/history", tag = "history", params(Which), security(("token" = ["viewer"])),
    responses((status = 200, body = Events), (status = 422, body = ProblemDocument))
)]
async fn list(
    State(service): State<Arc<Service>>,
    Asked(which): Asked<Which>,
) -> Result<Json<Events>> {
    let person = which.email.as_deref().map(person).transpose()?;
    let after = paging::place(which.cursor.as_deref())?;
    let size = paging::size(which.limit)?;
    let page = history::page(&*service.store, person.as_ref(), after.as_ref(), size).await?;
    Ok(Json(Events {
        events: page.items,
        next: page.next.as_ref().map(paging::cursor),
    }))
}
