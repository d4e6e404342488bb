//! Who must not be written to.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use caio_core::suppression::{Scope, ScopeError, Suppression};
use caio_dispatch::suppress;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::person;
use crate::http::access::Principal;
use crate::http::input::{Asked, Body};
use crate::http::paging;
use crate::http::problem::{Problem, ProblemDocument, Result};
use crate::http::service::Service;

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(remove))
        .routes(routes!(check))
}

/// Which part of the list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Entries a page, 1 to 500; 50 where it is not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Who is asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Whom {
    /// An address.
    #[param(format = "email", example = "lee@example.com")]
    email: String,
}

/// An entry.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SuppressionEntry)]
struct Entry {
    /// `address` or `domain`.
    scope: &'static str,
    /// The address or domain.
    value: String,
    /// Why.
    reason: String,
    /// Where it comes from.
    source: String,
    /// Since when, RFC 3339 UTC.
    at: String,
    /// Who entered it.
    by: String,
}

impl From<Suppression> for Entry {
    fn from(entry: Suppression) -> Self {
        let scope = match &entry.scope {
            Scope::Address(_) => "address",
            Scope::Domain(_) => "domain",
        };
        Self {
            scope,
            value: entry.scope.value().to_owned(),
            reason: entry.reason,
            source: entry.source,
            at: entry.at,
            by: entry.by,
        }
    }
}

/// A page of entries, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SuppressionEntries)]
struct Entries {
    /// The entries.
    suppressions: Vec<Entry>,
    /// Pass as `cursor` to go on; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A new entry.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SuppressionNew)]
#[serde(deny_unknown_fields)]
struct New {
    /// An address, or a domain with everything below it.
    #[schema(example = "lee@example.com")]
    who: String,
    /// The whole company of an address or domain.
    #[serde(default)]
    company: bool,
    /// Why.
    #[serde(default)]
    reason: String,
}

/// What was entered.
#[derive(Debug, Serialize, ToSchema)]
struct Added {
    /// False where exactly this was suppressed already.
    added: bool,
    /// `address` or `domain`.
    scope: &'static str,
    /// The address or domain.
    value: String,
}

/// An entry that goes.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SuppressionRemoval)]
#[serde(deny_unknown_fields)]
struct Removal {
    /// The address or domain, exactly as it stands in the list.
    #[schema(example = "lee@example.com")]
    who: String,
    /// Why: it stands in the history, with the name of whoever takes it back.
    #[schema(min_length = 1, example = "asked by phone to be written to again")]
    reason: String,
}

/// What was taken back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SuppressionRemoved)]
struct Removed {
    /// The entry as it was.
    removed: Entry,
}

/// Whether somebody may be written to, as far as this list says.
#[derive(Debug, Serialize, ToSchema)]
struct Checked {
    /// The address, as it is compared.
    email: String,
    /// Somebody or something forbids it.
    suppressed: bool,
    /// What covers the address.
    entries: Vec<Entry>,
}

/// The list, newest first.
#[utoipa::path(
    get, path = "/api/suppressions", tag = "suppressions", params(Which), security(("token" = ["viewer"])),
    responses((status = 200, body = Entries), (status = 422, body = ProblemDocument))
)]
async fn list(
    State(service): State<Arc<Service>>,
    Asked(which): Asked<Which>,
) -> Result<Json<Entries>> {
    let after = paging::place(which.cursor.as_deref())?;
    let size = paging::size(which.limit)?;
    let page = suppress::page(&*service.store, after.as_ref(), size).await?;
    Ok(Json(Entries {
        suppressions: page.items.into_iter().map(Entry::from).collect(),
        next: page.next.as_ref().map(paging::cursor),
    }))
}

/// Suppresses an address, a domain or a company.
#[utoipa::path(
    post, path = "/api/suppressions", tag = "suppressions", security(("token" = ["operator"])),
    request_body = New,
    responses(
        (status = 200, description = "It was suppressed already", body = Added),
        (status = 201, body = Added), (status = 422, body = ProblemDocument),
    )
)]
async fn add(
    State(service): State<Arc<Service>>,
    who: Principal,
    Body(new): Body<New>,
) -> Result<(StatusCode, Json<Added>)> {
    let scope = if new.company {
        Scope::company(&new.who)
    } else {
        Scope::parse(&new.who)
    };
    let scope = scope.map_err(|error| Problem::invalid(ScopeError::CODE, error.to_string()))?;
    let suppress = service.suppress(&who);
    let added = suppress.add(&scope, &new.reason, "api", None).await?;
    let status = if added {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let value = scope.value().to_owned();
    let scope = match scope {
        Scope::Address(_) => "address",
        Scope::Domain(_) => "domain",
    };
    let answer = Added {
        added,
        scope,
        value,
    };
    Ok((status, Json(answer)))
}

/// Takes an entry back, for a reason. What else ends contact stays: another entry that covers the
/// person, and a lead's status such as `unsubscribed` or `bounced`.
#[utoipa::path(
    post, path = "/api/suppressions/remove", tag = "suppressions", security(("token" = ["admin"])),
    request_body = Removal,
    responses(
        (status = 200, body = Removed), (status = 404, description = "There is no such entry", body = ProblemDocument),
        (status = 422, body = ProblemDocument),
    )
)]
async fn remove(
    State(service): State<Arc<Service>>,
    who: Principal,
    Body(removal): Body<Removal>,
) -> Result<Json<Removed>> {
    let scope = Scope::parse(&removal.who)
        .map_err(|error| Problem::invalid(ScopeError::CODE, error.to_string()))?;
    if removal.reason.trim().is_empty() {
        let detail = "expected why, in words";
        return Err(Problem::invalid("suppression.reason", detail));
    }
    let entry = service
        .suppress(&who)
        .remove(&scope, &removal.reason)
        .await?;
    Ok(Json(Removed {
        removed: entry.into(),
    }))
}

/// Whether an address is covered, and by what.
#[utoipa::path(
    get, path = "/api/suppressions/check", tag = "suppressions", params(Whom),
    security(("token" = ["viewer"])),
    responses((status = 200, body = Checked), (status = 422, body = ProblemDocument))
)]
async fn check(
    State(service): State<Arc<Service>>,
    Asked(Whom { email }): Asked<Whom>,
) -> Result<Json<Checked>> {
    let key = person(&email)?;
    let entries = suppress::covering(&*service.store, &key).await?;
    Ok(Json(Checked {
        email: key.to_string(),
        suppressed: !entries.is_empty(),
        entries: entries.into_iter().map(Entry::from).collect(),
    }))
}
