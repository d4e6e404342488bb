//! Where providers send their events, with the answers that the Python system gave them.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use caio_core::webhook::signature::{Proof, Request};
use caio_core::webhook::{Kind, Source};
use caio_dispatch::inbox::Received;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{store, take};
use crate::http::problem::{Problem, Result};
use crate::http::service::Service;

/// How often an event of a provider that gives up on a refusal is stored again, and how long apart.
const AGAIN: (usize, Duration) = (3, Duration::from_millis(500));

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(instantly))
        .routes(routes!(instantly_reply))
        .routes(routes!(instantly_bounce))
        .routes(routes!(instantly_open))
        .routes(routes!(instantly_unsubscribe))
        .routes(routes!(heyreach))
        .routes(routes!(heyreach_keyed))
        .routes(routes!(rb2b))
        .routes(routes!(rb2b_keyed))
        .routes(routes!(clay))
        .routes(routes!(ghl))
        .routes(routes!(clay_callback))
}

/// An event was stored.
#[derive(Debug, Serialize, ToSchema)]
struct Taken {
    /// `received`.
    status: &'static str,
    /// What happened.
    event: String,
    /// Its id in the inbox.
    id: String,
}

/// A request as it came.
struct Came {
    headers: HeaderMap,
    key: Option<String>,
    body: Bytes,
}

impl Came {
    fn new(
        headers: HeaderMap,
        query: Option<&str>,
        body: Result<Bytes, BytesRejection>,
    ) -> Result<Self> {
        let body = body.map_err(|rejection| {
            let status = rejection.status();
            let (status, what) = match status {
                StatusCode::PAYLOAD_TOO_LARGE => (status, "the body is longer than 256 KiB"),
                _ => (StatusCode::BAD_REQUEST, "the body did not arrive whole"),
            };
            Problem::new(status, "webhook.body", what)
        })?;
        let pairs = form_urlencoded::parse(query.unwrap_or("").as_bytes());
        let mut keys = pairs.filter(|(name, _)| name == "key");
        let key = keys.next().map(|(_, key)| key.into_owned());
        // A key that comes twice is none.
        let key = key.filter(|_| keys.next().is_none());
        Ok(Self { headers, key, body })
    }

    fn keyed(mut self, key: String) -> Self {
        self.key = Some(key);
        self
    }

    async fn take(
        &self,
        service: &Service,
        source: Source,
        hint: Option<&str>,
    ) -> Result<Received> {
        let headers = self.headers.iter();
        let headers: Vec<(&str, &[u8])> = headers
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let request = Request {
            headers: &headers,
            url_key: self.key.as_deref(),
            body: &self.body,
        };
        take(service, source, hint, &request).await
    }
}

type Body = Result<Bytes, BytesRejection>;

async fn instantly_event(
    service: &Service,
    hint: Option<&str>,
    came: Result<Came>,
) -> Result<Json<Taken>> {
    let received = came?.take(service, Source::Instantly, hint).await?;
    Ok(Json(Taken {
        status: "received",
        event: hint.map_or_else(|| received.kind.to_string(), str::to_owned),
        id: received.id,
    }))
}

macro_rules! instantly {
    ($($(#[$doc:meta])* $name:ident, $path:literal, $hint:expr;)+) => {
        $($(#[$doc])*
        #[utoipa::path(
            post, path = $path, tag = "webhooks", security(("provider" = [])),
            request_body(content = BTreeMap<String, Value>, content_type = "application/json"),
            responses(
                (status = 200, body = Taken, description = "Stored"),
                (status = 400, description = "No JSON object"),
                (status = 401, description = "Not proven"),
                (status = 413, description = "Longer than 256 KiB"),
                (status = 503, description = "No key is set up, or it cannot be stored now"),
            )
        )]
        async fn $name(
            State(service): State<Arc<Service>>,
            RawQuery(query): RawQuery,
            headers: HeaderMap,
            body: Body,
        ) -> Result<Json<Taken>> {
            instantly_event(&service, $hint, Came::new(headers, query.as_deref(), body)).await
        })+
    };
}

instantly! {
    /// Any event of Instantly; its `event_type` says which.
    instantly, "/webhooks/instantly", None;
    /// A reply.
    instantly_reply, "/webhooks/instantly/reply", Some("reply");
    /// A bounce.
    instantly_bounce, "/webhooks/instantly/bounce", Some("bounce");
    /// An open.
    instantly_open, "/webhooks/instantly/open", Some("open");
    /// An opt-out.
    instantly_unsubscribe, "/webhooks/instantly/unsubscribe", Some("unsubscribe");
}

async fn heyreach_event(service: &Service, came: Came) -> Result<Json<Value>> {
    let received = came.take(service, Source::HeyReach, None).await?;
    let action = match received.kind {
        Kind::Connected => "flagged_for_followup",
        Kind::Exhausted => "campaign_exhausted",
        Kind::Replied => "reply_logged",
        Kind::Unknown => "unknown_event_logged",
        _ => "logged",
    };
    Ok(Json(json!({
        "status": "ok", "event": received.kind, "action": action, "id": received.id,
        "needs_classification": received.kind == Kind::Replied,
    })))
}

/// Any event of HeyReach, with its key in the query.
#[utoipa::path(
    post, path = "/webhooks/heyreach", tag = "webhooks", security(("provider" = [])),
    params(("key" = Option<String>, Query, description = "The key, as nothing else can carry it")),
    request_body(content = BTreeMap<String, Value>, content_type = "application/json"),
    responses(
        (status = 200, description = "Stored"), (status = 400, description = "No JSON object"),
        (status = 401, description = "Not proven"), (status = 413, description = "Longer than 256 KiB"),
        (status = 503, description = "No key is set up, or it cannot be stored now"),
    )
)]
async fn heyreach(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>> {
    heyreach_event(&service, Came::new(headers, query.as_deref(), body)?).await
}

/// The same, with its key in the path.
#[utoipa::path(
    post, path = "/webhooks/heyreach/{key}", tag = "webhooks", security(("provider" = [])),
    params(("key" = String, Path, description = "The key")),
    request_body(content = BTreeMap<String, Value>, content_type = "application/json"),
    responses(
        (status = 200, description = "Stored"), (status = 400, description = "No JSON object"),
        (status = 401, description = "Not proven"), (status = 413, description = "Longer than 256 KiB"),
        (status = 503, description = "No key is set up, or it cannot be stored now"),
    )
)]
async fn heyreach_keyed(
    State(service): State<Arc<Service>>,
    Path(key): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>> {
    heyreach_event(&service, Came::new(headers, None, body)?.keyed(key)).await
}

/// RB2B ends the integration on anything but a 200: whoever has proven to be RB2B gets one.
async fn rb2b_event(service: &Service, came: Came) -> Result<Json<Value>> {
    let mut stored = came.take(service, Source::Rb2b, None).await;
    for _ in 0..AGAIN.0 {
        match &stored {
            Err(problem) if problem.is_unavailable() => tokio::time::sleep(AGAIN.1).await,
            _ => break,
        }
        stored = came.take(service, Source::Rb2b, None).await;
    }
    let status = match stored {
        Ok(_) => "processed",
        Err(problem) if problem.is_unavailable() && !problem.is("webhook.unconfigured") => {
            tracing::error!(
                event.kind = "webhooks",
                "a visit could not be stored and is lost"
            );
            "not_stored"
        }
        Err(problem) => return Err(problem),
    };
    Ok(Json(
        json!({ "status": status, "enrichment": null, "intent_triggered": false }),
    ))
}

/// A visit, as RB2B saw it, with its key in the query.
#[utoipa::path(
    post, path = "/webhooks/rb2b", tag = "webhooks", security(("provider" = [])),
    params(("key" = Option<String>, Query, description = "The key, as nothing else can carry it")),
    request_body(content = BTreeMap<String, Value>, content_type = "application/json"),
    responses(
        (status = 200, description = "Stored, whatever it is"), (status = 401, description = "Not proven"),
        (status = 413, description = "Longer than 256 KiB"), (status = 503, description = "No key is set up"),
    )
)]
async fn rb2b(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>> {
    rb2b_event(&service, Came::new(headers, query.as_deref(), body)?).await
}

/// The same, with its key in the path.
#[utoipa::path(
    post, path = "/webhooks/rb2b/{key}", tag = "webhooks", security(("provider" = [])),
    params(("key" = String, Path, description = "The key")),
    request_body(content = BTreeMap<String, Value>, content_type = "application/json"),
    responses(
        (status = 200, description = "Stored, whatever it is"), (status = 401, description = "Not proven"),
        (status = 413, description = "Longer than 256 KiB"), (status = 503, description = "No key is set up"),
    )
)]
async fn rb2b_keyed(
    State(service): State<Arc<Service>>,
    Path(key): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>> {
    rb2b_event(&service, Came::new(headers, None, body)?.keyed(key)).await
}

/// A row that Clay has enriched.
#[utoipa::path(
    post, path = "/webhooks/clay", tag = "webhooks", security(("provider" = [])),
    request_body(content = BTreeMap<String, Value>, content_type = "application/json"),
    responses(
        (status = 200, description = "Stored"), (status = 400, description = "No JSON object"),
        (status = 401, description = "Not proven"), (status = 413, description = "Longer than 256 KiB"),
        (status = 503, description = "No key is set up, or it cannot be stored now"),
    )
)]
async fn clay(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>> {
    let came = Came::new(headers, query.as_deref(), body)?;
    let received = came.take(&service, Source::Clay, None).await?;
    Ok(Json(json!({ "status": "processed", "id": received.id })))
}

/// Any event of GoHighLevel. It sends again after a 429 alone, so that is what it gets when an event
/// cannot be stored.
#[utoipa::path(
    post, path = "/webhooks/ghl", tag = "webhooks", security(("provider" = [])),
    request_body(content = BTreeMap<String, Value>, content_type = "application/json"),
    responses(
        (status = 200, body = Taken, description = "Stored"), (status = 400, description = "No JSON object"),
        (status = 401, description = "Not proven"), (status = 413, description = "Longer than 256 KiB"),
        (status = 429, description = "It cannot be stored now; send it again"),
    )
)]
async fn ghl(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Taken>> {
    let came = Came::new(headers, query.as_deref(), body)?;
    let received = match came.take(&service, Source::Ghl, None).await {
        Err(problem) if problem.is_unavailable() => {
            let what = "the event cannot be stored now";
            let again = Problem::new(StatusCode::TOO_MANY_REQUESTS, "webhook.busy", what);
            return Err(again.retry_after(60));
        }
        received => received?,
    };
    Ok(Json(Taken {
        status: "received",
        event: received.kind.to_string(),
        id: received.id,
    }))
}

/// A row that Clay has enriched, at the address that the Python system's tables call, with a token.
#[utoipa::path(
    post, path = "/api/clay-callback", tag = "webhooks", security(("token" = ["operator"])),
    request_body(content = BTreeMap<String, Value>, content_type = "application/json"),
    responses((status = 200, description = "Stored"), (status = 400, description = "No JSON object"))
)]
async fn clay_callback(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>> {
    let came = Came::new(headers, None, body)?;
    let proof = Some(Proof::Header);
    let received = store(&service, Source::Clay, None, &came.body, proof).await?;
    let note = "stored; `caio webhooks show` has it";
    Ok(Json(
        json!({ "status": "received", "note": note, "id": received.id }),
    ))
}
