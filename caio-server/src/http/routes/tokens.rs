//! Tokens: who may use the service.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use caio_core::access::Role;
use caio_dispatch::access::Token;
use jiff::SignedDuration;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::access::Principal;
use crate::http::input::{Body, Id};
use crate::http::problem::{Problem, ProblemDocument, Result};
use crate::http::service::Service;

/// Longest life of a token that is to end, days.
const MOST_DAYS: u32 = 3_650;

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(revoke))
}

/// A token; never its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenShown)]
struct Shown {
    /// Its id.
    id: String,
    /// Whose it is.
    name: String,
    /// What it may do.
    role: Role,
    /// It opens something now.
    valid: bool,
    /// When it was made, RFC 3339 UTC.
    created_at: String,
    /// Who made it.
    created_by: String,
    /// From then on it is refused, RFC 3339 UTC.
    expires_at: Option<String>,
    /// When it was revoked, RFC 3339 UTC.
    revoked_at: Option<String>,
    /// Who revoked it.
    revoked_by: Option<String>,
}

/// All of them.
#[derive(Debug, Serialize, ToSchema)]
struct Tokens {
    /// The oldest first.
    tokens: Vec<Shown>,
}

/// A new one.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = TokenNew)]
#[serde(deny_unknown_fields)]
struct New {
    /// Whose it is.
    #[schema(example = "lee")]
    name: String,
    /// What it may do.
    role: Role,
    /// Days until it ends, 1 to 3,650; it does not end by itself where they are not given.
    #[schema(minimum = 1, maximum = 3650)]
    expires_days: Option<u32>,
}

/// A new token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenCreated)]
struct Created {
    /// The token.
    token: Shown,
    /// Its text: shown this once.
    secret: String,
}

/// A token that was revoked.
#[derive(Debug, Serialize, ToSchema)]
struct Revoked {
    /// The token.
    token: Shown,
}

fn shown(service: &Service, token: Token) -> Shown {
    Shown {
        valid: token.is_valid(service.context.clock.now()),
        id: token.id,
        name: token.name,
        role: token.role,
        created_at: token.created_at,
        created_by: token.created_by,
        expires_at: token.expires_at,
        revoked_at: token.revoked_at,
        revoked_by: token.revoked_by,
    }
}

/// All tokens, the oldest first, those that were revoked as well.
#[utoipa::path(
    get, path = "/api/tokens", tag = "tokens", security(("token" = ["admin"])),
    responses((status = 200, body = Tokens))
)]
async fn list(State(service): State<Arc<Service>>, who: Principal) -> Result<Json<Tokens>> {
    let tokens = service.tokens(&who).list().await?;
    let tokens = tokens.into_iter().map(|token| shown(&service, token));
    Ok(Json(Tokens {
        tokens: tokens.collect(),
    }))
}

/// Makes a token; its text is in the answer and nowhere else.
#[utoipa::path(
    post, path = "/api/tokens", tag = "tokens", security(("token" = ["admin"])),
    request_body = New,
    responses((status = 201, body = Created), (status = 422, body = ProblemDocument))
)]
async fn create(
    State(service): State<Arc<Service>>,
    who: Principal,
    Body(new): Body<New>,
) -> Result<(StatusCode, Json<Created>)> {
    let days = new.expires_days;
    if days.is_some_and(|days| !(1..=MOST_DAYS).contains(&days)) {
        let detail = format!("`expires_days` has to be 1 to {MOST_DAYS}");
        return Err(Problem::invalid("token.expiry", detail));
    }
    let lifetime = days.map(|days| SignedDuration::from_hours(i64::from(days) * 24));
    let tokens = service.tokens(&who);
    let (token, secret) = tokens.create(&new.name, new.role, lifetime).await?;
    let created = Created {
        token: shown(&service, token),
        secret: secret.expose_secret().to_owned(),
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Ends a token, and every session and socket that it opened.
#[utoipa::path(
    post, path = "/api/tokens/{id}/revoke", tag = "tokens", security(("token" = ["admin"])),
    params(("id" = String, Path, description = "The token")),
    responses((status = 200, body = Revoked), (status = 404, body = ProblemDocument))
)]
async fn revoke(
    State(service): State<Arc<Service>>,
    who: Principal,
    Id(id): Id,
) -> Result<Json<Revoked>> {
    let token = service.tokens(&who).revoke(&id).await?;
    Ok(Json(Revoked {
        token: shown(&service, token),
    }))
}
