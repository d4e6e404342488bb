//! The description of the service, and how callers prove who they are.

use std::sync::Arc;

use axum::Json;
use utoipa::Modify;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::access::COOKIE;
use crate::http::service::Service;

/// Adds the ways to prove who one is.
pub(super) struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let header = |name: &str, text: &str| {
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, text)))
        };
        components.add_security_scheme(
            "token",
            header(
                "X-Dashboard-Token",
                "A token, here or as `Authorization: Bearer`; the scope is the least role. A session does as well.",
            ),
        );
        components.add_security_scheme(
            "bearer",
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
        );
        components.add_security_scheme(
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
                COOKIE,
                "What /login gives a person's browser; the scope is the least role.",
            ))),
        );
        components.add_security_scheme(
            "provider",
            header(
                "Authorization",
                "What the provider can prove, see `caio webhooks setup`.",
            ),
        );
    }
}

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(document))
}

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "service", security(("token" = ["viewer"])),
    responses((status = 200, description = "The OpenAPI document", body = serde_json::Value))
)]
async fn document() -> Json<OpenApi> {
    Json(crate::http::openapi())
}
