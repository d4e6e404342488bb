//! The routes under `/api`, a module a subject. Each declares in `security` who may use it:
//! `(())` for everybody, `(("token" = ["viewer"]))` and up for scripts and people.

#![expect(
    clippy::struct_field_names,
    reason = "fields are named as callers know them"
)]

mod alerts;
mod batches;
mod cadence;
mod drafts;
mod emails;
mod health;
mod history;
mod instantly;
mod leads;
mod ledger;
mod openapi;
mod operator;
mod scorecard;
mod stop;
mod suppressions;
mod system;
mod tokens;

use std::sync::Arc;

use caio_core::EmailKey;
use caio_core::record::check_address;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;

use super::problem::{Problem, ProblemDocument, Result};
use super::service::Service;
pub(super) use health::health_object;
use openapi::Schemes;

/// What the document says about all routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "caio",
        description = "B2B outbound sales that never sends wrongly: drafts, approvals, batches, delivery, signals."
    ),
    components(schemas(ProblemDocument)),
    modifiers(&Schemes)
)]
struct Api;

pub(super) fn document() -> Document {
    Api::openapi()
}

pub(super) fn all() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .merge(alerts::routes())
        .merge(batches::routes())
        .merge(cadence::routes())
        .merge(drafts::routes())
        .merge(emails::routes())
        .merge(health::routes())
        .merge(history::routes())
        .merge(instantly::routes())
        .merge(leads::routes())
        .merge(ledger::routes())
        .merge(openapi::routes())
        .merge(operator::routes())
        .merge(scorecard::routes())
        .merge(stop::routes())
        .merge(suppressions::routes())
        .merge(system::routes())
        .merge(tokens::routes())
}

/// The person of an address.
fn person(address: &str) -> Result<EmailKey> {
    check_address(address).map_err(|refusal| Problem::invalid("lead.email", refusal.to_string()))
}

#[cfg(test)]
mod tests;
