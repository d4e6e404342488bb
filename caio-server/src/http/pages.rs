//! The pages that people use.

mod login;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use super::service::Service;

pub(super) fn all() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().merge(login::routes())
}
