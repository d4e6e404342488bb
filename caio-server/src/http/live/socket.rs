//! `/ws`: a socket for pages, opened with a ticket that works once.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use caio_dispatch::access::{Entry, TICKET_LIFETIME, Tickets};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::stream::full;
use super::{may_hear, pulse, stands};
use crate::http::access::Principal;
use crate::http::cors::Origins;
use crate::http::input::Asked;
use crate::http::problem::{Problem, ProblemDocument, Result};
use crate::http::routes::health_object;
use crate::http::service::Service;

/// Largest message of a client, bytes. What is larger by far is not even read.
const MOST: usize = 4 * 1024;

/// How long a client may take to receive one message.
const PATIENCE: Duration = Duration::from_secs(5);

/// The caller may not listen, or may not any more.
const UNAUTHORIZED: u16 = 4401;

/// Why, to somebody who could come in before.
const ENDED: &str = "the session ended, or the token was revoked or has expired";

/// What the client sent is no JSON object.
const BAD_DATA: u16 = 1003;

/// What the client sent is longer than [`MOST`].
const TOO_BIG: u16 = 1009;

/// The server ends.
const GOING_AWAY: u16 = 1001;

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(ticket))
        .routes(routes!(open))
}

/// A ticket.
#[derive(Debug, Serialize, ToSchema)]
struct Given {
    /// Its text: for `/ws?ticket=…`, once.
    ticket: String,
    /// Seconds until it opens nothing any more.
    expires_in: i64,
}

/// What opens a socket.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Opening {
    /// From `POST /api/ws-ticket`.
    #[serde(default)]
    ticket: String,
}

/// Gives out a ticket for one socket.
#[utoipa::path(
    post, path = "/api/ws-ticket", tag = "live", security(("token" = ["viewer"])),
    responses((status = 201, body = Given), (status = 503, body = ProblemDocument))
)]
async fn ticket(
    State(service): State<Arc<Service>>,
    who: Principal,
) -> Result<(StatusCode, Json<Given>)> {
    let given = tickets(&service)
        .give(&who.name, who.role, who.entry)
        .await?;
    let ticket = given.expose_secret().to_owned();
    let expires_in = TICKET_LIFETIME.as_secs();
    Ok((StatusCode::CREATED, Json(Given { ticket, expires_in })))
}

fn tickets(service: &Service) -> Tickets<'_> {
    Tickets {
        store: &*service.store,
        clock: &*service.context.clock,
        ids: &*service.context.ids,
    }
}

/// Opens a socket: the same news as `/api/events`, `health_update` every five seconds and on
/// `{"type": "refresh"}`, `pong` to `{"type": "ping"}`. Without a good ticket it is closed with 4401, and
/// once the session or token that the ticket was given for has ended.
#[utoipa::path(
    get, path = "/ws", tag = "live", security(()), params(Opening),
    responses(
        (status = 101, description = "The socket"),
        (status = 400, description = "No WebSocket handshake", body = ProblemDocument),
        (status = 403, description = "A page of another site", body = ProblemDocument),
        (status = 426, description = "A connection that cannot become a socket", body = ProblemDocument),
        (status = 503, description = "Too many listeners", body = ProblemDocument),
    )
)]
async fn open(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    Asked(opening): Asked<Opening>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response> {
    let upgrade = upgrade
        .map_err(|error| Problem::new(error.status(), "live.handshake", error.body_text()))?;
    if !is_ours(&service, &headers)? {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "request.cross_site",
            "the socket is asked for by a page of another site",
        ));
    }
    let place = service.live.join().ok_or_else(full)?;
    let ticket = tickets(&service).take(&opening.ticket).await?;
    let upgrade = upgrade
        .max_message_size(16 * MOST)
        .max_frame_size(16 * MOST);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let _place = place;
        match ticket {
            Some(ticket) => serve(&service, &ticket.entry, socket).await,
            None => close(socket, UNAUTHORIZED, "a fresh ticket is needed").await,
        }
    }))
}

/// Whether a page of ours asks, or no page at all: browsers always say which.
fn is_ours(service: &Service, headers: &HeaderMap) -> Result<bool> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(true);
    };
    let origins = Origins::from_environment(&service.context.environment)?;
    if origins.allows(origin) {
        return Ok(true);
    }
    let host = headers.get(header::HOST).and_then(|it| it.to_str().ok());
    let uri: Option<Uri> = origin.to_str().ok().and_then(|it| it.parse().ok());
    let page = uri.as_ref().and_then(Uri::authority).map(Authority::as_str);
    Ok(page.is_some() && page == host)
}

async fn serve(service: &Arc<Service>, entry: &Entry, mut socket: WebSocket) {
    let mut news = service.live.news.subscribe();
    let mut ends = service.live.ends.subscribe();
    let mut pulse = pulse();
    loop {
        let text = tokio::select! {
            _ = ends.changed() => return close(socket, GOING_AWAY, "the service ends").await,
            _ = pulse.tick() => {
                if !stands(service, entry).await {
                    return close(socket, UNAUTHORIZED, ENDED).await;
                }
                Some(health(service).await)
            }
            found = news.recv() => match found {
                Ok(news) if !may_hear(service, entry, &news).await => {
                    return close(socket, UNAUTHORIZED, ENDED).await;
                }
                Ok(news) => serde_json::to_value(&*news).ok(),
                // It was too slow for some: what it shows is told anew.
                Err(RecvError::Lagged(_)) => Some(health(service).await),
                Err(RecvError::Closed) => return,
            },
            said = socket.recv() => match said {
                Some(Ok(Message::Text(text))) if text.len() > MOST => {
                    return close(socket, TOO_BIG, "a message is longer than 4 KiB").await;
                }
                Some(Ok(Message::Text(text))) => match answer(service, &text).await {
                    Ok(answer) => answer,
                    Err(()) => return close(socket, BAD_DATA, "expected a JSON object").await,
                },
                Some(Ok(Message::Binary(_))) => {
                    return close(socket, BAD_DATA, "expected a JSON object").await;
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => None,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
        };
        let Some(text) = text else {
            continue;
        };
        let message = Message::Text(text.to_string().into());
        // Somebody who does not read keeps nobody else waiting.
        match timeout(PATIENCE, socket.send(message)).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
}

/// What a client is answered; `Err` when what it said is no JSON object.
async fn answer(service: &Service, text: &str) -> Result<Option<Value>, ()> {
    let said: Value = serde_json::from_str(text).map_err(|_| ())?;
    let said = said.as_object().ok_or(())?;
    Ok(match said.get("type").and_then(Value::as_str) {
        Some("ping") => Some(json!({ "type": "pong" })),
        Some("refresh") => Some(health(service).await),
        _ => None,
    })
}

async fn health(service: &Service) -> Value {
    json!({ "type": "health_update", "data": health_object(service).await })
}

async fn close(mut socket: WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame {
        code,
        reason: reason.into(),
    };
    let _ = timeout(PATIENCE, socket.send(Message::Close(Some(frame)))).await;
}
