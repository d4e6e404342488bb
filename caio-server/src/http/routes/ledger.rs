//! The ledger: what became of each delivery, and those of which nobody knows.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use caio_core::batch::BatchStatus;
use caio_dispatch::channel::Outcome;
use caio_dispatch::ledger::{self, LedgerEntry, Of};
use caio_dispatch::operator::RunReport;
use caio_dispatch::{DispatchError, batches};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::person;
use crate::http::access::Principal;
use crate::http::input::{Asked, Body, Id};
use crate::http::paging;
use crate::http::problem::{Problem, ProblemDocument, Result};
use crate::http::service::Service;

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(reconcile))
        .routes(routes!(show))
        .routes(routes!(resolve))
}

/// Which deliveries; of a batch or to a person, not both.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Of this batch alone.
    batch: Option<String>,
    /// To this person alone.
    #[param(format = "email")]
    email: Option<String>,
    /// Entries a page, 1 to 500; 50 where it is not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// A page of deliveries, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LedgerEntries)]
struct Entries {
    /// The deliveries.
    entries: Vec<LedgerEntry>,
    /// Pass as `cursor` to go on; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// One delivery.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LedgerOne)]
struct Entry {
    /// It.
    entry: LedgerEntry,
}

/// What asking the providers has settled.
#[derive(Debug, Serialize, ToSchema)]
struct Reconciled {
    /// Batches that were asked about, as they stand now.
    reports: Vec<RunReport>,
    /// Batches of which something is still unknown.
    unknown: Vec<Unknown>,
}

/// A batch of which something is still unknown.
#[derive(Debug, Serialize, ToSchema)]
struct Unknown {
    /// The batch.
    batch: String,
    /// Why.
    reason: String,
}

/// What a person has found out about a delivery.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Finding {
    /// Whether it went out.
    outcome: Found,
    /// How that is known.
    #[schema(min_length = 1, example = "the provider's support has looked it up")]
    reason: String,
}

/// Whether a delivery went out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Found {
    /// The provider took it.
    Accepted,
    /// It certainly did not go out.
    NotSent,
}

/// The state after it.
#[derive(Debug, Serialize, ToSchema)]
struct Resolved {
    /// What became of every item of its batch.
    report: RunReport,
}

/// Deliveries, newest first.
#[utoipa::path(
    get, path = "/api/ledger", tag = "ledger", params(Which), security(("token" = ["viewer"])),
    responses((status = 200, body = Entries), (status = 422, body = ProblemDocument))
)]
async fn list(
    State(service): State<Arc<Service>>,
    Asked(which): Asked<Which>,
) -> Result<Json<Entries>> {
    let person = which.email.as_deref().map(person).transpose()?;
    let of = match (&which.batch, &person) {
        (None, None) => Of::All,
        (Some(batch), None) => Of::Batch(batch),
        (None, Some(person)) => Of::Person(person),
        (Some(_), Some(_)) => {
            let detail = "expected `batch` or `email`, not both";
            return Err(Problem::invalid("request.query", detail));
        }
    };
    let after = paging::place(which.cursor.as_deref())?;
    let size = paging::size(which.limit)?;
    let page = ledger::page(&*service.store, of, after.as_ref(), size).await?;
    Ok(Json(Entries {
        entries: page.items,
        next: page.next.as_ref().map(paging::cursor),
    }))
}

/// One delivery.
#[utoipa::path(
    get, path = "/api/ledger/{id}", tag = "ledger", security(("token" = ["viewer"])),
    params(("id" = String, Path, description = "The delivery")),
    responses((status = 200, body = Entry), (status = 404, body = ProblemDocument))
)]
async fn show(State(service): State<Arc<Service>>, Id(id): Id) -> Result<Json<Entry>> {
    let entry = ledger::one(&*service.store, &id).await?;
    Ok(Json(Entry { entry }))
}

/// Asks the providers about everything that is unknown. Nothing is sent.
#[utoipa::path(
    post, path = "/api/ledger/reconcile", tag = "ledger", security(("token" = ["operator"])),
    responses(
        (status = 200, body = Reconciled), (status = 423, body = ProblemDocument),
        (status = 503, body = ProblemDocument),
    )
)]
async fn reconcile(State(service): State<Arc<Service>>) -> Result<Json<Reconciled>> {
    let operator = service.asking().await?;
    let (mut reports, mut unknown) = (Vec::new(), Vec::new());
    for batch in batches::list(&*operator.store, BatchStatus::Unknown).await? {
        match operator.reconcile(&batch.id).await {
            Ok(report) => {
                if report.status == BatchStatus::Unknown {
                    let reason = "the provider cannot say; a person has to".to_owned();
                    let batch = batch.id;
                    unknown.push(Unknown { batch, reason });
                }
                reports.push(report);
            }
            Err(error @ DispatchError::Store(_)) => return Err(error.into()),
            Err(error) => unknown.push(Unknown {
                batch: batch.id,
                reason: error.to_string(),
            }),
        }
    }
    Ok(Json(Reconciled { reports, unknown }))
}

/// Records what a person has found out about an unknown delivery.
#[utoipa::path(
    post, path = "/api/ledger/{id}/resolve", tag = "ledger", security(("token" = ["operator"])),
    params(("id" = String, Path, description = "The delivery")),
    request_body = Finding,
    responses(
        (status = 200, body = Resolved), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument),
        (status = 423, body = ProblemDocument),
    )
)]
async fn resolve(
    State(service): State<Arc<Service>>,
    who: Principal,
    Id(id): Id,
    Body(Finding { outcome, reason }): Body<Finding>,
) -> Result<Json<Resolved>> {
    if reason.trim().is_empty() {
        let detail = "`reason` has to say how that is known";
        return Err(Problem::invalid("ledger.reason", detail));
    }
    let said = format!("{reason} (said by {})", who.name);
    let outcome = match outcome {
        Found::Accepted => Outcome::Accepted { receipt: said },
        Found::NotSent => Outcome::NotSent { reason: said },
    };
    let operator = service.asking().await?;
    let report = operator.resolve(&id, &outcome).await?;
    Ok(Json(Resolved { report }))
}
