//! Access by matched route, deny by default.
//!
//! Each route's OpenAPI description says what it needs; [`Table`] is read from there, so that what is
//! documented is what is enforced. The address that is compared is the route that the router matched,
//! never one rebuilt from a header (http D-01).

mod credentials;
mod gate;
mod table;

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use caio_core::access::Role;
use caio_dispatch::access::Entry;

use super::problem::Problem;
use super::service::Service;
pub(super) use credentials::{COOKIE, session_text};
pub(crate) use gate::Gate;
pub(super) use table::{Need, Table};

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    /// Name, as decisions are recorded under.
    pub(crate) name: String,
    /// What they may do.
    pub(crate) role: Role,
    /// What they came in with.
    pub(crate) entry: Entry,
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let found = parts.extensions.get::<Arc<Self>>();
        let found = found.map(|it| it.as_ref().clone());
        found.ok_or_else(|| Problem::internal("access.nobody", "a public route asks who calls"))
    }
}

/// A request that may go on to its route, and who makes it; nobody is named where everybody may.
type Admitted = (Request, Option<Arc<Principal>>);

/// Lets a request through to its route.
///
/// # Errors
/// The answer that says why not.
pub(super) async fn check(
    service: &Service,
    needs: &Table,
    request: Request,
) -> Result<Admitted, Box<Response>> {
    let matched = request.extensions().get::<MatchedPath>();
    let need = match matched.map(MatchedPath::as_str) {
        Some(path) => needs.need(request.method(), path),
        // Nothing answers there; below /api nobody learns that without a token.
        None if request.uri().path().starts_with("/api/") => Need::Role(Role::Viewer),
        None => Need::Public,
    };
    let (least, is_page) = match need {
        Need::Public | Need::Signed => return Ok((request, None)),
        Need::Page(role) => (role, true),
        Need::Role(role) => (role, false),
        // A method that the route does not have, or a route that says nothing: deny.
        Need::Undeclared => (Role::Admin, false),
    };
    let (mut parts, body) = request.into_parts();
    let principal = match service.gate.admit(service, &parts).await {
        Ok(principal) => principal,
        Err(problem) if is_page && problem.is_unauthorized() => {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("next", parts.uri.path());
            let login = format!("/login?{}", query.finish());
            return Err(Box::new(Redirect::to(&login).into_response()));
        }
        Err(problem) => return Err(Box::new(problem.into_response())),
    };
    if principal.role < least {
        let Principal { name, role, .. } = &*principal;
        let detail = format!("{name} is {role}; this needs {least}");
        let problem = Problem::new(StatusCode::FORBIDDEN, "access.role", detail);
        return Err(Box::new(problem.into_response()));
    }
    parts.extensions.insert(Arc::clone(&principal));
    Ok((Request::from_parts(parts, body), Some(principal)))
}
