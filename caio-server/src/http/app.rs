//! The one builder of the application; the server and the tests use the same.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::Uri;
use tower::util::MapRequest;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use super::access::Table;
use super::service::Service;
use super::{cors, document, layers, live, pages, routes, webhooks};
use crate::exit::Result;

/// The application: a router whose paths are taken with or without a slash at the end.
pub(crate) type App = MapRequest<Router, fn(Request) -> Request>;

/// The routes, and what each needs of its caller; they know no service yet.
#[derive(Debug)]
pub(crate) struct Routes(Router<Arc<Service>>, Table);

impl Routes {
    /// # Errors
    /// A route that does not declare what it needs.
    pub(crate) fn all() -> Result<Self> {
        let (router, document) = all_routes().split_for_parts();
        let needs = Table::of(&document)?;
        Ok(Self(router, needs))
    }

    /// The application over this service.
    ///
    /// # Errors
    /// Origins that cannot be allowed.
    pub(crate) fn over(self, service: &Arc<Service>) -> Result<App> {
        let Self(router, needs) = self;
        let origins = cors::Origins::from_environment(&service.context.environment)?;
        let around = layers::Around::new(Arc::clone(service), needs, origins)?;
        let router = router
            .fallback(layers::not_found)
            .method_not_allowed_fallback(layers::wrong_method)
            .layer(around)
            .with_state(Arc::clone(service));
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
