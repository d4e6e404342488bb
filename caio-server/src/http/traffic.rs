//! What Prometheus reads: requests by route, method and status, how long they took, and webhooks.
//!
//! The handle of a metric is asked for once and kept: to find it by its labels costs more than all the
//! counting. The labels are routes' patterns and words of ours, so what is kept is bounded.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use metrics::{Counter, Histogram, counter, histogram};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder};

/// Upper ends of the buckets of waits, seconds.
const ENDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

/// What collects the metrics, before it is installed.
///
/// # Errors
/// Buckets that are none.
pub(crate) fn collector() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new().set_buckets(&ENDS)
}

/// Labels of a webhook: its source, its kind, and whether it was known.
type Hook = (&'static str, &'static str, bool);

/// Handles of the metrics that were counted so far.
#[derive(Default)]
pub(crate) struct Traffic {
    requests: Mutex<HashMap<String, Vec<Measured>>>,
    webhooks: Mutex<BTreeMap<Hook, Counter>>,
}

/// One method of one route.
struct Measured {
    method: &'static str,
    statuses: Vec<(StatusCode, Counter)>,
    seconds: Histogram,
}

impl Traffic {
    /// Counts one request to `route`, a pattern.
    pub(super) fn count(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let method = word(method);
        let mut requests = lock(&self.requests);
        if !requests.contains_key(route) {
            requests.insert(route.to_owned(), Vec::new());
        }
        let Some(methods) = requests.get_mut(route) else {
            return;
        };
        let at = methods.iter().position(|it| it.method == method);
        let at = at.unwrap_or_else(|| {
            methods.push(Measured::new(method, route));
            methods.len() - 1
        });
        methods[at].add(route, status, took);
    }

    /// Counts one webhook that was stored.
    pub(super) fn count_webhook(&self, source: &'static str, kind: &'static str, known: bool) {
        let mut webhooks = lock(&self.webhooks);
        let of = webhooks.entry((source, kind, known)).or_insert_with(|| {
            let known = if known { "yes" } else { "no" };
            counter!("caio_webhooks_total", "source" => source, "kind" => kind, "known" => known)
        });
        of.increment(1);
    }
}

impl Measured {
    fn new(method: &'static str, route: &str) -> Self {
        let route = route.to_owned();
        Self {
            method,
            statuses: Vec::new(),
            seconds: histogram!("caio_http_request_seconds", "method" => method, "route" => route),
        }
    }

    fn add(&mut self, route: &str, status: StatusCode, took: Duration) {
        self.seconds.record(took.as_secs_f64());
        let at = self.statuses.iter().position(|(it, _)| *it == status);
        let at = at.unwrap_or_else(|| {
            let labels = [
                ("method", self.method.to_owned()),
                ("route", route.to_owned()),
                ("status", status.as_str().to_owned()),
            ];
            let counter = counter!("caio_http_requests_total", &labels);
            self.statuses.push((status, counter));
            self.statuses.len() - 1
        });
        self.statuses[at].1.increment(1);
    }
}

impl fmt::Debug for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traffic").finish_non_exhaustive()
    }
}

/// The method as one of a few words: a caller can make methods up.
pub(super) fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_add_up_and_made_up_methods_are_one() {
        let recorder = collector().unwrap().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            let traffic = Traffic::default();
            let made_up = Method::from_bytes(b"BREW").unwrap();
            for (method, status, millis) in [
                (&Method::GET, StatusCode::OK, 1),
                (&Method::GET, StatusCode::OK, 7),
                (&Method::GET, StatusCode::NOT_FOUND, 60_000),
                (&made_up, StatusCode::METHOD_NOT_ALLOWED, 0),
            ] {
                traffic.count(method, "/api/x/{id}", status, Duration::from_millis(millis));
            }
            traffic.count_webhook("instantly", "reply", false);
        });
        let text = handle.render();
        for line in [
            r#"caio_http_requests_total{method="GET",route="/api/x/{id}",status="200"} 2"#,
            r#"caio_http_requests_total{method="GET",route="/api/x/{id}",status="404"} 1"#,
            r#"caio_http_requests_total{method="other",route="/api/x/{id}",status="405"} 1"#,
            r#"caio_http_request_seconds_bucket{method="GET",route="/api/x/{id}",le="0.001"} 1"#,
            r#"caio_http_request_seconds_bucket{method="GET",route="/api/x/{id}",le="0.01"} 2"#,
            r#"caio_http_request_seconds_bucket{method="GET",route="/api/x/{id}",le="+Inf"} 3"#,
            r#"caio_http_request_seconds_count{method="GET",route="/api/x/{id}"} 3"#,
            r#"caio_webhooks_total{source="instantly",kind="reply",known="no"} 1"#,
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
    }
}
