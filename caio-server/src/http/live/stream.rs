//! `GET /api/events`: server-sent events. A browser that comes back says which it saw last.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use caio_dispatch::access::Entry;
use caio_dispatch::history::{self, Event};
use futures_util::stream::{self, Stream};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};
use tokio::time::Interval;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{News, pulse};
use crate::http::problem::{Problem, ProblemDocument, Result};
use crate::http::service::Service;

/// Events that are read at a time for somebody who comes back.
const AGAIN: usize = 500;

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(events))
}

/// One listener.
struct Listener {
    service: Arc<Service>,
    entry: Entry,
    pulse: Interval,
    standing: std::array::IntoIter<News, 2>,
    missed: std::vec::IntoIter<Event>,
    /// The last page of what was missed was full: there may be more behind it.
    has_more: bool,
    seen: Option<String>,
    news: broadcast::Receiver<Arc<News>>,
    ends: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

/// One server-sent event, field by field.
#[derive(Debug, Serialize, ToSchema)]
struct ServerSent {
    /// `event`, `pending` or `stop`.
    event: String,
    /// A JSON object: what happened, as `/api/history` shows it; `{"drafts", "batches"}`; or `{"stopped"}`.
    data: String,
    /// Of what happened, for `Last-Event-ID`.
    id: Option<String>,
}

/// What happens, as it happens: `event`, `stop` and `pending`. How `stop` and `pending` stand comes
/// first, then, with `Last-Event-ID`, what was missed. It ends with the session or token that opened it.
#[utoipa::path(
    get, path = "/api/events", tag = "live", security(("token" = ["viewer"])),
    params(("Last-Event-ID" = Option<String>, Header, description = "The event that was seen last")),
    responses(
        (status = 200, description = "Server-sent events", content_type = "text/event-stream", body = ServerSent),
        (status = 503, description = "Too many listeners", body = ProblemDocument),
    )
)]
async fn events(
    State(service): State<Arc<Service>>,
    who: crate::http::access::Principal,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Sent, Infallible>>>> {
    let place = service.live.join().ok_or_else(full)?;
    // First of all: what happens while the rest is read is not missed.
    let news = service.live.news.subscribe();
    let last = headers.get("last-event-id").and_then(|it| it.to_str().ok());
    let missed = match last {
        Some(id) => match history::one(&*service.store, id).await? {
            Some(event) => history::since(&*service.store, &event.place(), AGAIN).await?,
            None => Vec::new(),
        },
        None => Vec::new(),
    };
    let listener = Listener {
        standing: super::standing(&*service.store).await?.into_iter(),
        seen: missed.last().map(Event::place),
        has_more: missed.len() == AGAIN,
        missed: missed.into_iter(),
        news,
        ends: service.live.ends.subscribe(),
        entry: who.entry,
        pulse: pulse(),
        service,
        _place: place,
    };
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(stream::unfold(listener, next)).keep_alive(keep_alive))
}

pub(super) fn full() -> Problem {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Problem::new(status, "live.full", "too many listeners").retry_after(30)
}

async fn next(mut listener: Listener) -> Option<(Result<Sent, Infallible>, Listener)> {
    let first = listener.standing.next();
    if first.is_none() && listener.has_more && listener.missed.len() == 0 {
        // Whoever is cut off here comes back and says what was seen last.
        let from = listener.seen.clone()?;
        let page = history::since(&*listener.service.store, &from, AGAIN).await;
        let page = page.ok()?;
        listener.has_more = page.len() == AGAIN;
        listener.seen = page.last().map(Event::place).or(Some(from));
        listener.missed = page.into_iter();
    }
    if let Some(news) = first.or_else(|| listener.missed.next().map(News::Event)) {
        return Some((Ok(sent(&news)), listener));
    }
    loop {
        let news = tokio::select! {
            news = listener.news.recv() => news,
            _ = listener.ends.changed() => return None,
            _ = listener.pulse.tick() => {
                if super::stands(&listener.service, &listener.entry).await {
                    continue;
                }
                return None;
            }
        };
        // Whoever is too far behind comes back and says what was seen last.
        let news = news.ok()?;
        if !super::may_hear(&listener.service, &listener.entry, &news).await {
            return None;
        }
        if let (News::Event(event), Some(seen)) = (&*news, &listener.seen)
            && event.place() <= *seen
        {
            continue;
        }
        return Some((Ok(sent(&news)), listener));
    }
}

fn sent(news: &News) -> Sent {
    let (name, id) = match news {
        News::Event(event) => ("event", Some(event.id.clone())),
        News::Pending(_) => ("pending", None),
        News::Stop { .. } => ("stop", None),
    };
    let text = serde_json::to_value(news).unwrap_or_default();
    let sent = Sent::default().event(name).data(text["data"].to_string());
    match id {
        Some(id) => sent.id(id),
        None => sent,
    }
}
