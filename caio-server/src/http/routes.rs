//! The routes under `/api`, a module a subject. Each declares in `security` who may use it:
//! `(())` for everybody, `(("token" = ["viewer"]))` and up for scripts and people.

mod health;
mod openapi;

use std::sync::Arc;

use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;

use super::problem::ProblemDocument;
use super::service::Service;
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
        .merge(health::routes())
        .merge(openapi::routes())
}
