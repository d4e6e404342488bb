//! What holds for every request: a sound path, an id, one line in the log, time-outs, headers.

use std::any::Any;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use super::access::Principal;
use super::problem::{Cause, Problem};

/// How long a body may take to arrive.
pub(super) const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// How long a request may take in all; streams answer at once and go on.
const TIME_OUT: Duration = Duration::from_mins(1);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// No scripts but our own files, nothing from elsewhere, never in a frame.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; frame-src 'self'; object-src 'none'; frame-ancestors 'none'; \
    base-uri 'none'; form-action 'self'";

/// Identifies a request in logs and answers.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// Refuses paths that two readers could understand in two ways (http §1.4).
pub(super) async fn check_path(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_ascii_lowercase();
    let is_odd = |byte: u8| byte.is_ascii_control() || byte == b'\\';
    let encoded = ["%2f", "%5c", "%7f"];
    let has_control = path
        .as_bytes()
        .windows(3)
        .any(|it| it[0] == b'%' && matches!(it[1], b'0' | b'1') && it[2].is_ascii_hexdigit());
    if path.bytes().any(is_odd) || has_control || encoded.iter().any(|it| path.contains(it)) {
        return Problem::new(
            StatusCode::BAD_REQUEST,
            "request.path",
            "the path holds an encoded slash, a backslash or a control character",
        )
        .into_response();
    }
    next.run(request).await
}

/// Takes the caller's `X-Correlation-ID` where it is a plain word, else makes one.
pub(super) async fn request_id(mut request: Request, next: Next) -> Response {
    let given = request.headers().get(&REQUEST_ID);
    let plain = given.and_then(|value| value.to_str().ok()).filter(|text| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        (1..=128).contains(&text.len()) && text.bytes().all(is_plain)
    });
    let id = match plain {
        Some(text) => text.to_owned(),
        None => uuid::Uuid::now_v7().simple().to_string(),
    };
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// Headers that keep a browser from doing what nobody meant.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::STRICT_TRANSPORT_SECURITY,
            "max-age=31536000; includeSubDomains",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let entry = headers.entry(header::CONTENT_SECURITY_POLICY);
    entry.or_insert(HeaderValue::from_static(POLICY));
    let entry = headers.entry(header::CACHE_CONTROL);
    entry.or_insert(HeaderValue::from_static("no-store"));
    response
}

/// One line a request: the route's pattern in place of the path, no query, nobody's address.
pub(super) async fn log(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let id = request.extensions().get::<RequestId>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("(none)", MatchedPath::as_str);
    let status = response.status();
    let elapsed = begun.elapsed();
    let cause = response.extensions().get::<Cause>();
    let who = response.extensions().get::<Principal>();
    record(&method, route, status, elapsed);
    let (who, cause) = (
        who.map_or("", |it| it.name.as_str()),
        cause.map_or("", |it| it.0.as_str()),
    );
    let id = id.as_ref().map_or("", |it| it.0.as_str());
    let duration_ms = elapsed.as_secs_f64() * 1000.0;
    if status.is_server_error() {
        tracing::error!(
            event.kind = "request", http.method = %method, http.route = route,
            http.status = status.as_u16(), duration_ms, request.id = id, who, cause, "request failed"
        );
    } else {
        tracing::info!(
            event.kind = "request", http.method = %method, http.route = route,
            http.status = status.as_u16(), duration_ms, request.id = id, who, cause, "request"
        );
    }
    response
}

fn record(method: &Method, route: &str, status: StatusCode, elapsed: Duration) {
    let labels = [
        ("method", method.as_str().to_owned()),
        ("route", route.to_owned()),
        ("status", status.as_str().to_owned()),
    ];
    metrics::counter!("caio_http_requests_total", &labels).increment(1);
    metrics::histogram!("caio_http_request_seconds", &labels[..2]).record(elapsed.as_secs_f64());
}

/// Ends what takes too long.
pub(super) async fn time_out(request: Request, next: Next) -> Response {
    match tokio::time::timeout(TIME_OUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "request.time_out",
            "the request took too long; look at what it left before asking again",
        )
        .into_response(),
    }
}

/// A bug of ours: the answer says nothing, the log says all.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature that the layer calls"
)]
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words");
    Problem::internal("bug.panic", text).into_response()
}

/// A browser was made to send this by another site.
pub(super) fn cross_site() -> Response<Body> {
    Problem::new(
        StatusCode::FORBIDDEN,
        "request.cross_site",
        "the request comes from a page of another site",
    )
    .into_response()
}

pub(super) async fn not_found() -> Problem {
    Problem::not_found("Not Found")
}

pub(super) async fn wrong_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "route.method",
        "Method Not Allowed",
    )
}
