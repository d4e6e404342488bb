//! `Idempotency-Key`: a POST that is sent again under its key is answered as the first time, and
//! nothing happens a second time.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::Route;
use caio_dispatch::idempotency::{Answer, Begun, Hold, MAX_KEY, Requests};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::access::Principal;
use super::input::unread;
use super::problem::{Problem, Result};
use super::service::Service;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Largest answer that is kept, bytes.
const MOST: usize = 1 << 20;

/// Routes whose answer holds a secret: it is never kept.
const SECRET: [&str; 2] = ["/api/tokens", "/api/ws-ticket"];

/// Does a request once, whoever sends it again.
pub(super) async fn once(
    service: &Arc<Service>,
    who: Option<&Principal>,
    request: Request,
    route: Route,
) -> Response {
    match who {
        Some(who) if request.method() == Method::POST && request.headers().contains_key(&KEY) => {
            let answer = keyed(Arc::clone(service), who, request, route).await;
            answer.unwrap_or_else(IntoResponse::into_response)
        }
        // What nobody is named for, or changes nothing, has no key.
        _ => run(route, request).await,
    }
}

async fn run(route: Route, request: Request) -> Response {
    match route.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

async fn keyed(
    service: Arc<Service>,
    who: &Principal,
    request: Request,
    route: Route,
) -> Result<Response> {
    let key = key(&request)?;
    let (parts, body) = request.into_parts();
    let body = Request::from_parts(parts.clone(), body);
    let body = Bytes::from_request(body, &()).await.map_err(unread)?;
    let target = target(&parts.uri);
    let whole = [parts.method.as_str().as_bytes(), target.as_bytes(), &body];
    let hold = match requests(&service).begin(&who.name, &key, &whole).await? {
        Begun::First(hold) => hold,
        Begun::Again(answer) => return replay(answer),
        Begun::InFlight => {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "idempotency.in_flight",
                "a request with this key is under way",
            )
            .retry_after(1));
        }
        Begun::Other => {
            return Err(Problem::invalid(
                "idempotency.other_request",
                "this key was used for another request",
            )
            .hint("give each request a key of its own"));
        }
    };
    let is_secret = SECRET.contains(&parts.uri.path());
    let request = Request::from_parts(parts, Body::from(body));
    // A client that goes away does not end what it has begun.
    let of_one = Arc::clone(&service);
    let work = async move {
        let response = run(route, request).await;
        keep(&of_one, &hold, response, is_secret).await
    };
    service.work.carry(work).await
}

fn key(request: &Request) -> Result<String> {
    let mut values = request.headers().get_all(&KEY).iter();
    let text = values.next().and_then(|it| it.to_str().ok());
    let is_fit = |text: &&str| (1..=MAX_KEY).contains(&text.len());
    match (text.filter(is_fit), values.next()) {
        (Some(text), None) => Ok(text.to_owned()),
        _ => Err(Problem::invalid(
            "idempotency.key",
            format!("Idempotency-Key has to be one text of 1 to {MAX_KEY} characters"),
        )),
    }
}

/// Path and query, without a token in it.
fn target(uri: &axum::http::Uri) -> String {
    let pairs = form_urlencoded::parse(uri.query().unwrap_or("").as_bytes());
    let ours = pairs.filter(|(name, _)| name != "token");
    let mut query = form_urlencoded::Serializer::new(String::new());
    format!("{}?{}", uri.path(), query.extend_pairs(ours).finish())
}

fn requests(service: &Service) -> Requests<'_> {
    Requests {
        store: &*service.store,
        clock: &*service.context.clock,
        ids: &*service.context.ids,
    }
}

/// Keeps the answer; one that says that nothing was done frees the key.
async fn keep(
    service: &Service,
    hold: &Hold,
    response: Response,
    is_secret: bool,
) -> Result<Response> {
    let status = response.status();
    let requests = requests(service);
    if status.is_client_error() || status == StatusCode::SERVICE_UNAVAILABLE {
        if let Err(error) = requests.forget(hold).await {
            tracing::warn!(event.kind = "idempotency", cause = %error, "a key could not be freed");
        }
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let broken = |error: axum::Error| Problem::internal("response.body", error.to_string());
    let bytes = body.collect().await.map_err(broken)?.to_bytes();
    let content_type = parts.headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|it| it.to_str().ok()).unwrap_or("");
    let text = std::str::from_utf8(&bytes).ok();
    let text = text.filter(|it| !is_secret && it.len() <= MOST);
    let answer = Answer {
        status: status.as_u16(),
        content_type: content_type.to_owned(),
        body: text.map(str::to_owned),
    };
    // It is done, whatever becomes of its key.
    if let Err(error) = requests.finish(hold, answer).await {
        tracing::warn!(event.kind = "idempotency", cause = %error, "an answer could not be kept");
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

/// The first answer once more.
fn replay(answer: Answer) -> Result<Response> {
    let Some(body) = answer.body else {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "idempotency.not_kept",
            "this was done before, and its answer is not kept",
        ));
    };
    let status = StatusCode::from_u16(answer.status);
    let mut response = (status.unwrap_or_default(), body).into_response();
    let headers = response.headers_mut();
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    if let Ok(content_type) = HeaderValue::from_str(&answer.content_type) {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    Ok(response)
}
