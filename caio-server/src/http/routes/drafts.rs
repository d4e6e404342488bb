//! Drafts: what a person reviews.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use caio_core::draft::{Draft, DraftStatus};
use caio_core::terms::Tier;
use caio_dispatch::history::{self, Event};
use caio_dispatch::leads::{self, LeadRecord};
use caio_dispatch::review::{self, Wanted};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::access::Principal;
use crate::http::input::{Asked, Body, Id};
use crate::http::paging;
use crate::http::problem::{Problem, ProblemDocument, Result};
use crate::http::service::Service;

/// Drafts looked at for one page of a search.
const READS: usize = 5_000;

/// Events shown beside a draft.
const EVENTS: usize = 50;

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(edit))
        .routes(routes!(reopen))
}

/// Which drafts.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Where they stand; `pending` where it is not given.
    status: Option<DraftStatus>,
    /// Of this tier alone.
    tier: Option<Tier>,
    /// Holds this in address, name, company or subject, whatever the case.
    search: Option<String>,
    /// Entries a page, 1 to 500; 50 where it is not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// A page of drafts, best score first.
#[derive(Debug, Serialize, ToSchema)]
struct Drafts {
    /// The drafts.
    drafts: Vec<Draft>,
    /// Pass as `cursor` to go on; absent on the last page. A page of a search may be short, or
    /// empty, and still have a next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A draft with what a reviewer needs to decide.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DraftShown)]
struct Shown {
    /// The exact text.
    draft: Draft,
    /// SHA-256 of subject and body: sent back, it says that this text was seen.
    content: String,
    /// The lead's facts and score; null for one that is not known any more.
    #[schema(value_type = Option<Object>)]
    lead: Option<LeadRecord>,
    /// What happened around the person, newest first.
    history: Vec<Event>,
}

/// One draft.
#[derive(Debug, Serialize, ToSchema)]
struct Changed {
    /// As it is now.
    draft: Draft,
}

/// A change of the text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Edit {
    /// Another subject.
    subject: Option<String>,
    /// Another body.
    body: Option<String>,
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = DraftWhy)]
#[serde(deny_unknown_fields)]
struct Why {
    /// In words.
    #[serde(default)]
    reason: String,
}

/// Drafts in one status, best score first.
#[utoipa::path(
    get, path = "/api/drafts", tag = "drafts", params(Which), security(("token" = ["viewer"])),
    responses((status = 200, body = Drafts), (status = 422, body = ProblemDocument))
)]
async fn list(
    State(service): State<Arc<Service>>,
    Asked(which): Asked<Which>,
) -> Result<Json<Drafts>> {
    let wanted = Wanted {
        tier: which.tier,
        text: which.search.as_deref().filter(|it| !it.is_empty()),
    };
    let after = paging::place(which.cursor.as_deref())?;
    let size = (paging::size(which.limit)?, READS);
    let status = which.status.unwrap_or(DraftStatus::Pending);
    let page = review::find(&*service.store, status, &wanted, after.as_ref(), size).await?;
    Ok(Json(Drafts {
        drafts: page.items,
        next: page.next.as_ref().map(paging::cursor),
    }))
}

/// One draft, with the lead behind it and what happened.
#[utoipa::path(
    get, path = "/api/drafts/{id}", tag = "drafts", security(("token" = ["viewer"])),
    params(("id" = String, Path, description = "The draft")),
    responses((status = 200, body = Shown), (status = 404, body = ProblemDocument))
)]
async fn show(State(service): State<Arc<Service>>, Id(id): Id) -> Result<Json<Shown>> {
    let store = &*service.store;
    let draft = review::one(store, &id).await?;
    Ok(Json(Shown {
        content: draft.content(),
        lead: leads::one(store, &draft.recipient).await?,
        history: history::newest(store, Some(&draft.recipient), EVENTS).await?,
        draft,
    }))
}

/// Changes the text; an approved draft needs a new approval then.
#[utoipa::path(
    post, path = "/api/drafts/{id}/edit", tag = "drafts", security(("token" = ["approver"])),
    params(("id" = String, Path, description = "The draft")),
    request_body = Edit,
    responses(
        (status = 200, body = Changed), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument),
    )
)]
async fn edit(
    State(service): State<Arc<Service>>,
    who: Principal,
    Id(id): Id,
    Body(Edit { subject, body }): Body<Edit>,
) -> Result<Json<Changed>> {
    if subject.is_none() && body.is_none() {
        let detail = "nothing to change; expected `subject`, `body` or both";
        return Err(Problem::invalid("draft.nothing", detail));
    }
    let sender = &service.context.settings().sender;
    let (subject, body) = (subject.as_deref(), body.as_deref());
    let review = service.review(&who);
    let draft = review.edit(&id, subject, body, sender).await?;
    Ok(Json(Changed { draft }))
}

/// Takes an approval or a rejection back.
#[utoipa::path(
    post, path = "/api/drafts/{id}/reopen", tag = "drafts", security(("token" = ["approver"])),
    params(("id" = String, Path, description = "The draft")),
    request_body = Why,
    responses(
        (status = 200, body = Changed), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument),
    )
)]
async fn reopen(
    State(service): State<Arc<Service>>,
    who: Principal,
    Id(id): Id,
    Body(Why { reason }): Body<Why>,
) -> Result<Json<Changed>> {
    let draft = service.review(&who).reopen(&id, &reason).await?;
    Ok(Json(Changed { draft }))
}
