//! What holds for every request: a sound path, an id, one line in the log, time-outs, headers.
//!
//! It is one layer, not one for each rule: a layer of a router costs every request a copy of all that
//! lies below it. [`Rules::answer`] has the rules in their order.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::Route;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::Instant;
use tower::{Layer, Service as Tower, ServiceBuilder, ServiceExt, service_fn};
use tower_http::csrf::CsrfLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::{DeadlineBody, RequestBodyDeadlineLayer};

use super::access::{self, Principal, Table};
use super::cors::{Crossing, Origins};
use super::idempotency;
use super::problem::{Cause, Problem};
use super::service::Service;
use super::spans::Span;
use super::traffic::{Traffic, word};
use super::work::words;
use crate::exit::{Failure, Result};

/// How long a body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// Largest body of a request, bytes. Webhooks have a smaller limit of their own.
const MAX_BODY: usize = 1 << 20;

/// How long a request may take in all; streams answer at once and go on.
const TIME_OUT: Duration = Duration::from_mins(1);

/// Headers of an answer: ours, and those that a handler adds.
const HEADERS: usize = 12;

/// Status that a request is counted under whose caller left; nobody reads it as an answer.
const LEFT: u16 = 499;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// No scripts but our own files, nothing from elsewhere, never in a frame.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; frame-src 'self'; object-src 'none'; frame-ancestors 'none'; \
    base-uri 'none'; form-action 'self'";

/// Identifies a request in logs and answers: letters, digits, `.`, `_` and `-`.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(HeaderValue);

/// One request, until it is counted and logged: answered, or left by its caller.
struct Watched<'a> {
    traffic: &'a Traffic,
    method: &'a Method,
    pattern: &'a str,
    id: &'a RequestId,
    begun: Instant,
    /// Taken when it is told of.
    span: Option<Span>,
}

/// The layer around every route.
#[derive(Debug, Clone)]
pub(super) struct Around(Arc<Rules>);

/// A route with the rules around it.
#[derive(Debug, Clone)]
pub(super) struct Surrounded {
    rules: Arc<Rules>,
    route: Route,
}

/// A body that ends, in time and in size.
type Bounded = tower_http::body::Limited<DeadlineBody<Body>>;

#[derive(Debug)]
struct Rules {
    service: Arc<Service>,
    needs: Table,
    origins: Origins,
    csrf: CsrfLayer<fn(tower_http::csrf::ProtectionError) -> Response>,
}

impl Around {
    /// # Errors
    /// An origin that is none.
    pub(super) fn new(service: Arc<Service>, needs: Table, origins: Origins) -> Result<Self> {
        let mut csrf = CsrfLayer::new();
        for origin in origins.iter() {
            csrf = csrf.add_trusted_origin(origin).map_err(|error| {
                Failure::new("http.origin", format!("`{origin}` is no origin: {error}"))
            })?;
        }
        let csrf = csrf.with_rejection_response(cross_site as fn(_) -> _);
        Ok(Self(Arc::new(Rules {
            service,
            needs,
            origins,
            csrf,
        })))
    }
}

impl Layer<Route> for Around {
    type Service = Surrounded;

    fn layer(&self, route: Route) -> Surrounded {
        Surrounded {
            rules: Arc::clone(&self.0),
            route,
        }
    }
}

impl Tower<Request> for Surrounded {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, std::result::Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (rules, route) = (Arc::clone(&self.rules), self.route.clone());
        Box::pin(async move { Ok(rules.answer(request, route).await) })
    }
}

impl Rules {
    /// The answer of `route`, or of the first rule that stands against it.
    async fn answer(self: Arc<Self>, mut request: Request, route: Route) -> Response {
        let begun = Instant::now();
        let service = &self.service;
        let method = request.method().clone();
        let matched = request.extensions().get::<MatchedPath>().cloned();
        let id = RequestId::of(request.headers());
        request.extensions_mut().insert(id.clone());
        let pattern = matched.as_ref().map_or("(none)", MatchedPath::as_str);
        let span = service.spans.begin(&method, pattern, request.headers());
        let watched = Watched {
            traffic: &service.traffic,
            method: &method,
            pattern,
            id: &id,
            begun,
            span: Some(span),
        };
        let crossing = Crossing::of(&self.origins, &request);
        let mut response = match crossing.preflight() {
            Some(response) => response,
            None => {
                let answered = AssertUnwindSafe(self.pass(request, route)).catch_unwind();
                match tokio::time::timeout(TIME_OUT, answered).await {
                    Ok(Ok(response)) => response,
                    // A bug of ours: the answer says nothing, the log says all.
                    Ok(Err(panic)) => {
                        Problem::internal("bug.panic", words(&*panic)).into_response()
                    }
                    Err(_) => timed_out(),
                }
            }
        };
        let headers = response.headers_mut();
        headers.reserve(HEADERS);
        crossing.decorate(headers);
        decorate(headers);
        headers.insert(REQUEST_ID, id.0.clone());
        watched.end(&response);
        response
    }

    /// What only reads and has no body needs no look at its origin and no bounds for its body.
    /// A body that says itself that it is too large is not read at all.
    async fn pass(self: &Arc<Self>, request: Request, route: Route) -> Response {
        if is_odd(request.uri().path().as_bytes()) {
            return Problem::new(
                StatusCode::BAD_REQUEST,
                "request.path",
                "the path holds an encoded slash, a backslash or a control character",
            )
            .into_response();
        }
        if matches!(*request.method(), Method::GET | Method::HEAD) && request.body().is_end_stream()
        {
            return self.admit(request, route).await;
        }
        if declared(request.headers()).is_some_and(|it| it > MAX_BODY as u64) {
            return too_large();
        }
        let admit = |request: axum::http::Request<Bounded>| {
            let (rules, route) = (Arc::clone(self), route.clone());
            async move { Ok::<_, Infallible>(rules.admit(request.map(Body::new), route).await) }
        };
        let bounded = ServiceBuilder::new()
            .layer(RequestBodyDeadlineLayer::new(BODY_DEADLINE))
            .layer(RequestBodyLimitLayer::new(MAX_BODY))
            .layer(self.csrf.clone())
            .service(service_fn(admit));
        match bounded.oneshot(request).await {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        }
    }

    /// Lets who may come in to the route.
    async fn admit(&self, request: Request, route: Route) -> Response {
        let service = &self.service;
        let (request, who) = match access::check(service, &self.needs, request).await {
            Ok(admitted) => admitted,
            Err(response) => return *response,
        };
        let mut response = idempotency::once(service, who.as_deref(), request, route).await;
        if let Some(who) = who {
            response.extensions_mut().insert(who);
        }
        response
    }
}

impl Watched<'_> {
    /// It was answered.
    fn end(mut self, response: &Response) {
        let who = response.extensions().get::<Arc<Principal>>();
        let cause = response.extensions().get::<Cause>();
        let who = who.map_or("", |it| it.name.as_str());
        let cause = cause.map_or("", |it| it.0.as_str());
        self.tell(response.status(), who, cause);
    }

    /// Counts it, and one line about it: the route's pattern in place of the path, no query, nobody's
    /// address.
    fn tell(&mut self, status: StatusCode, who: &str, cause: &str) {
        let Some(span) = self.span.take() else {
            return;
        };
        span.end(status);
        let elapsed = self.begun.elapsed();
        self.traffic
            .count(self.method, self.pattern, status, elapsed);
        macro_rules! line {
            ($level:expr, $message:literal) => {
                tracing::event!(
                    $level,
                    event.kind = "request",
                    http.method = word(self.method),
                    http.route = self.pattern,
                    http.status = status.as_u16(),
                    duration_ms = elapsed.as_secs_f64() * 1000.0,
                    request.id = self.id.as_str(),
                    who,
                    cause,
                    $message
                )
            };
        }
        if status.is_server_error() {
            line!(tracing::Level::ERROR, "request failed");
        } else {
            line!(tracing::Level::INFO, "request");
        }
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        let status = StatusCode::from_u16(LEFT).unwrap_or(StatusCode::REQUEST_TIMEOUT);
        self.tell(status, "", "the caller left before the answer");
    }
}

impl RequestId {
    /// The caller's `X-Correlation-ID` where it is a plain word, else a new one.
    fn of(headers: &HeaderMap) -> Self {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        let given = headers.get(&REQUEST_ID).filter(|value| {
            (1..=128).contains(&value.len()) && value.as_bytes().iter().all(is_plain)
        });
        if let Some(given) = given {
            return Self(given.clone());
        }
        let mut text = [0; uuid::fmt::Simple::LENGTH];
        let text = uuid::Uuid::now_v7().simple().encode_lower(&mut text);
        // Hex digits are always a value.
        Self(HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("")))
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or("")
    }
}

/// Whether two readers could understand a path in two ways (http §1.4).
fn is_odd(path: &[u8]) -> bool {
    path.iter().enumerate().any(|(at, byte)| match byte {
        b'\\' => true,
        b'%' => match path.get(at + 1..at + 3) {
            Some([b'0' | b'1', low]) => low.is_ascii_hexdigit(),
            Some(code) => [b"2f", b"5c", b"7f"]
                .iter()
                .any(|it| code.eq_ignore_ascii_case(*it)),
            None => false,
        },
        byte => byte.is_ascii_control(),
    })
}

/// Headers that keep a browser from doing what nobody meant.
fn decorate(headers: &mut HeaderMap) {
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
}

/// Size of the body, bytes, as the caller gives it.
fn declared(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(header::CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
}

fn too_large() -> Response {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "request.body",
        format!("the body is longer than {MAX_BODY} bytes"),
    )
    .into_response()
}

fn timed_out() -> Response {
    Problem::new(
        StatusCode::GATEWAY_TIMEOUT,
        "request.time_out",
        "the request took too long; look at what it left before asking again",
    )
    .into_response()
}

/// A browser was made to send this by another site.
fn cross_site(_: tower_http::csrf::ProtectionError) -> Response {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_means_one_thing_or_is_refused() {
        for odd in [
            "/a%2fb", "/a%2Fb", "/a%5Cb", "/a\\b", "/a%00", "/a%1f", "/a%7F", "/a\u{1}", "/%0a%2e",
        ] {
            assert!(is_odd(odd.as_bytes()), "{odd:?}");
        }
        for plain in [
            "/", "/a%20b", "/a%2e%2e", "/%", "/%2", "/%0", "/a%0g", "/%C3%A4", "/a%2",
        ] {
            assert!(!is_odd(plain.as_bytes()), "{plain:?}");
        }
    }
}
