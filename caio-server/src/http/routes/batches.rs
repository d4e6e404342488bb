//! Batches: what goes out together, with the exact bytes of every message.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use caio_core::batch::{Batch, BatchRefusal, BatchStatus};
use caio_core::terms::{Motion, Provider, Tier};
use caio_dispatch::DispatchError;
use caio_dispatch::batches::{self, Content};
use caio_dispatch::plan::RefusedDraft;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::access::Principal;
use crate::http::input::{Asked, Body, Id};
use crate::http::paging;
use crate::http::problem::{Problem, ProblemDocument, Result};
use crate::http::service::Service;
use crate::wiring::AskedBatch;

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(revoke))
}

/// Which batches.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Where they stand; `pending` where it is not given.
    status: Option<BatchStatus>,
    /// Entries a page, 1 to 500; 50 where it is not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// A page of batches, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct Batches {
    /// The batches.
    batches: Vec<Batch>,
    /// Pass as `cursor` to go on; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A batch with every message as it would go out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchShown)]
struct Shown {
    /// The batch; its `digest` has to come back with the approval.
    batch: Batch,
    /// The messages, in the batch's order.
    messages: Vec<Content>,
}

/// What a batch may hold.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = BatchNew)]
#[serde(deny_unknown_fields)]
struct New {
    /// Programme; `outbound` where it is not given.
    motion: Option<Motion>,
    /// Of this tier alone.
    tier: Option<Tier>,
    /// Who is to deliver the e-mails; Instantly where it is not given.
    via: Option<Provider>,
    /// Most messages.
    #[schema(minimum = 1)]
    limit: Option<u32>,
    /// Hours for which the approval can be used, 1 to 168.
    #[schema(minimum = 1, maximum = 168)]
    expires_hours: Option<u32>,
}

/// A new batch, and who was left out of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchCreated)]
struct Created {
    /// The batch, pending.
    batch: Batch,
    /// Follow-ups that were due and are written now: a person has to approve them first.
    follow_ups: usize,
    /// Approved drafts that may not go now, with every reason.
    refused: Vec<RefusedDraft>,
    /// Further drafts are approved than fit.
    more: bool,
}

/// An approval.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = BatchApproval)]
#[serde(deny_unknown_fields)]
pub(super) struct Approval {
    /// `digest` of the batch that was seen.
    pub(super) digest: Option<String>,
    /// The batch as it was seen: with it, a refusal says what has changed.
    pub(super) batch: Option<Batch>,
    /// Not looked at: who approves is known by the token.
    #[serde(rename = "approved_by")]
    pub(super) _approved_by: Option<String>,
}

/// Why not.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = BatchWhy)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    /// In words.
    #[serde(default)]
    pub(super) reason: String,
}

/// A batch after a decision.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchDecided)]
pub(super) struct Decided {
    /// Where it stands now.
    pub(super) status: BatchStatus,
    /// The batch.
    pub(super) batch: Batch,
}

impl From<Batch> for Decided {
    fn from(batch: Batch) -> Self {
        let status = batch.status;
        Self { status, batch }
    }
}

/// Batches in one status, newest first.
#[utoipa::path(
    get, path = "/api/batches", tag = "batches", params(Which), security(("token" = ["viewer"])),
    responses((status = 200, body = Batches), (status = 422, body = ProblemDocument))
)]
async fn list(
    State(service): State<Arc<Service>>,
    Asked(which): Asked<Which>,
) -> Result<Json<Batches>> {
    let after = paging::place(which.cursor.as_deref())?;
    let size = paging::size(which.limit)?;
    let status = which.status.unwrap_or(BatchStatus::Pending);
    let page = batches::page(&*service.store, status, after.as_ref(), size).await?;
    Ok(Json(Batches {
        batches: page.items,
        next: page.next.as_ref().map(paging::cursor),
    }))
}

/// One batch, with the exact bytes of every message.
#[utoipa::path(
    get, path = "/api/batches/{id}", tag = "batches", security(("token" = ["viewer"])),
    params(("id" = String, Path, description = "The batch")),
    responses((status = 200, body = Shown), (status = 404, body = ProblemDocument))
)]
async fn show(State(service): State<Arc<Service>>, Id(id): Id) -> Result<Json<Shown>> {
    let batch = batches::one(&*service.store, &id).await?;
    let messages = batches::contents(&*service.store, &batch).await?;
    Ok(Json(Shown { batch, messages }))
}

/// Makes a batch of the approved drafts that may go now. With follow-ups in it, those that are due are
/// written first, as `caio batch create` does; they wait for a reviewer.
#[utoipa::path(
    post, path = "/api/batches", tag = "batches", security(("token" = ["operator"])),
    request_body = New,
    responses(
        (status = 201, body = Created),
        (status = 409, description = "No approved draft may go now", body = ProblemDocument),
        (status = 422, body = ProblemDocument), (status = 423, body = ProblemDocument),
    )
)]
async fn create(
    State(service): State<Arc<Service>>,
    who: Principal,
    Body(new): Body<New>,
) -> Result<(StatusCode, Json<Created>)> {
    let asked = AskedBatch {
        motion: new.motion.unwrap_or(Motion::Outbound),
        tier: new.tier,
        via: new.via.unwrap_or(Provider::Instantly),
        limit: new.limit,
        expires_hours: new.expires_hours,
    };
    let (context, store) = (&service.context, &*service.store);
    let written = context.write_due(store, &who.name, asked.motion).await?;
    let follow_ups = written.map_or(0, |it| it.drafts.len());
    let made = context.create_batch(store, &who.name, &asked).await;
    let (batch, plan) =
        made.map_err(|failure| Problem::from(failure).with("follow_ups", follow_ups))?;
    let created = Created {
        batch,
        follow_ups,
        refused: plan.refused,
        more: plan.more,
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Approves and seals exactly what was seen.
#[utoipa::path(
    post, path = "/api/batches/{id}/approve", tag = "batches", security(("token" = ["approver"])),
    params(("id" = String, Path, description = "The batch")),
    request_body = Approval,
    responses(
        (status = 200, body = Decided), (status = 404, body = ProblemDocument),
        (status = 409, description = "It is not the one that was seen, or stands elsewhere", body = ProblemDocument),
        (status = 422, body = ProblemDocument),
    )
)]
async fn approve(
    State(service): State<Arc<Service>>,
    who: Principal,
    Id(id): Id,
    Body(approval): Body<Approval>,
) -> Result<Json<Decided>> {
    Ok(Json(
        approve_seen(&service, &who, &id, approval).await?.into(),
    ))
}

/// Approves what was seen, or says what has changed.
pub(super) async fn approve_seen(
    service: &Service,
    who: &Principal,
    id: &str,
    approval: Approval,
) -> Result<Batch> {
    let keys = service.context.seal_keys(true)?;
    let missing = || {
        Problem::new(
            StatusCode::CONFLICT,
            "seal.none",
            "there is no key to seal with",
        )
    };
    let keys = keys.ok_or_else(missing)?;
    let deciding = service.deciding(who);
    let shown = approval.batch.as_ref();
    let approved = match approval.digest.as_deref().filter(|it| !it.is_empty()) {
        Some(digest) => deciding.approve(id, digest, shown, &keys).await,
        None if service.approves_unseen() => deciding.approve_unseen(id, &keys).await,
        None => {
            let batch = batches::one(&*service.store, id).await?;
            let problem = Problem::new(
                StatusCode::CONFLICT,
                "approval.unseen",
                "an approval needs the digest of the batch that was seen",
            );
            let problem = problem.hint("send back `digest` of the batch");
            return Err(as_it_is(problem, &batch));
        }
    };
    match approved {
        Ok(batch) => Ok(batch),
        Err(DispatchError::Batch(refusal @ BatchRefusal::DigestDiffers { .. })) => {
            let batch = batches::one(&*service.store, id).await?;
            let changes = match &refusal {
                BatchRefusal::DigestDiffers { changes, .. } => {
                    changes.iter().map(ToString::to_string).collect()
                }
                _ => Vec::new(),
            };
            let problem = Problem::from(DispatchError::Batch(refusal)).with("changes", changes);
            Err(as_it_is(problem, &batch))
        }
        Err(error) => Err(error.into()),
    }
}

/// The same, with the batch as it is now.
fn as_it_is(problem: Problem, batch: &Batch) -> Problem {
    let Batch { status, digest, .. } = batch;
    problem.with("current", json!({ "status": status, "digest": digest }))
}

/// Says no to a pending or an approved batch.
#[utoipa::path(
    post, path = "/api/batches/{id}/reject", tag = "batches", security(("token" = ["approver"])),
    params(("id" = String, Path, description = "The batch")),
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
    Ok(Json(batch.into()))
}

/// Takes an approval back.
#[utoipa::path(
    post, path = "/api/batches/{id}/revoke", tag = "batches", security(("token" = ["approver"])),
    params(("id" = String, Path, description = "The batch")),
    request_body = Why,
    responses(
        (status = 200, body = Decided), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument),
    )
)]
async fn revoke(
    State(service): State<Arc<Service>>,
    who: Principal,
    Id(id): Id,
    Body(Why { reason }): Body<Why>,
) -> Result<Json<Decided>> {
    let batch = service.deciding(&who).revoke(&id, &reason).await?;
    Ok(Json(batch.into()))
}
