//! The one builder of the application; the server and the tests use the same.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::Uri;
use axum::middleware::{from_fn, from_fn_with_state};
use tower::util::MapRequest;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::RequestBodyDeadlineLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use super::access::{self, Table};
use super::service::Service;
use super::{cors, document, idempotency, layers, live, pages, routes, webhooks};
use crate::exit::{Failure, Result};

/// The application: a router whose paths are taken with or without a slash at the end.
pub(crate) type App = MapRequest<Router, fn(Request) -> Request>;

/// Largest body of a request, bytes. Webhooks have a smaller limit of their own.
const MAX_BODY: usize = 1 << 20;

impl Service {
    /// The application over this service.
    ///
    /// # Errors
    /// A route that does not declare what it needs, and origins that cannot be allowed.
    pub(crate) fn app(self: &Arc<Self>) -> Result<App> {
        let (router, document) = all_routes().split_for_parts();
        let table = Arc::new(Table::of(&document::complete(document))?);
        let origins = cors::Origins::from_environment(&self.context.environment)?;
        let mut csrf = CsrfLayer::new();
        for origin in origins.iter() {
            csrf = csrf.add_trusted_origin(origin).map_err(|error| {
                Failure::new("http.origin", format!("`{origin}` is no origin: {error}"))
            })?;
        }
        let access = from_fn_with_state((Arc::clone(self), table), access::check);
        let router = router
            .fallback(layers::not_found)
            .method_not_allowed_fallback(layers::wrong_method)
            .layer(from_fn_with_state(Arc::clone(self), idempotency::once))
            .layer(access)
            .layer(csrf.with_rejection_response(|_| layers::cross_site()))
            .layer(from_fn_with_state(Arc::new(origins), cors::apply))
            .layer(RequestBodyLimitLayer::new(MAX_BODY))
            .layer(RequestBodyDeadlineLayer::new(layers::BODY_DEADLINE))
            .layer(from_fn(layers::time_out))
            .layer(CatchPanicLayer::custom(layers::panicked))
            .layer(from_fn(layers::log))
            .layer(from_fn(layers::headers))
            .layer(from_fn(layers::request_id))
            .layer(from_fn(layers::check_path))
            .with_state(Arc::clone(self));
        Ok(MapRequest::new(router, without_last_slash))
    }
}

/// `/api/x/` is `/api/x`. Nothing else about a path is changed: what two readers could understand in
/// two ways is refused (http §1.4).
fn without_last_slash(mut request: Request) -> Request {
    let path = request.uri().path();
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() || trimmed.len() == path.len() {
        return request;
    }
    let target = match request.uri().query() {
        Some(query) => format!("{trimmed}?{query}"),
        None => trimmed.to_owned(),
    };
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = target.parse().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}

/// The OpenAPI document of all routes.
pub(crate) fn openapi() -> OpenApi {
    document::complete(all_routes().into_openapi())
}

fn all_routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::with_openapi(routes::document())
        .merge(routes::all())
        .merge(live::routes())
        .merge(pages::all())
        .merge(webhooks::all())
}
