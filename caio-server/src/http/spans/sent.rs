//! A span of OpenTelemetry for each request: its method, its route's pattern and its status, and
//! nothing of who made it. It hangs below the caller's span where `traceparent` names one.
//!
//! Spans are sent over OTLP by a thread of their own, to the collector that
//! `OTEL_EXPORTER_OTLP_ENDPOINT` names; without one there are none.

use std::time::Duration;

use axum::http::{HeaderMap, Method, StatusCode};
use opentelemetry::Context as Spanning;
use opentelemetry::KeyValue;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, TraceState, Tracer,
    TracerProvider,
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};

use crate::exit::{Failure, Result};
use crate::http::traffic::word;
use crate::wiring::Context;

/// How long the collector may take for what is left when the service ends.
const FLUSH: Duration = Duration::from_secs(5);

/// Where spans go.
#[derive(Debug)]
pub(crate) struct Spans(Option<(SdkTracerProvider, SdkTracer)>);

/// The span of one request.
#[derive(Debug)]
pub(in crate::http) struct Span(Option<opentelemetry_sdk::trace::Span>);

impl Spans {
    /// # Errors
    /// An address that is none.
    pub(crate) fn new(context: &Context) -> Result<Self> {
        let Some(endpoint) = context.given("OTEL_EXPORTER_OTLP_ENDPOINT") else {
            return Ok(Self(None));
        };
        // Fails only when a provider was installed before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .build()
            .map_err(|error| {
                Failure::new(
                    "otel.endpoint",
                    format!("OTEL_EXPORTER_OTLP_ENDPOINT: {error}"),
                )
            })?;
        let name = context.given("OTEL_SERVICE_NAME").unwrap_or("caio");
        let resource = Resource::builder_empty().with_service_name(name.to_owned());
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.build())
            // A caller, whoever it is, does not decide whether a request has a span.
            .with_sampler(Sampler::AlwaysOn)
            .with_batch_exporter(exporter)
            .build();
        let tracer = provider.tracer("caio");
        Ok(Self(Some((provider, tracer))))
    }

    /// The span of a request that begins now.
    pub(in crate::http) fn begin(&self, method: &Method, route: &str, headers: &HeaderMap) -> Span {
        let Some((_, tracer)) = &self.0 else {
            return Span(None);
        };
        let caller = caller(headers);
        let method = word(method);
        let builder = SpanBuilder::from_name(format!("{method} {route}"))
            .with_kind(SpanKind::Server)
            .with_attributes([
                KeyValue::new("http.request.method", method),
                KeyValue::new("http.route", route.to_owned()),
            ]);
        Span(Some(tracer.build_with_context(builder, &caller)))
    }

    /// Sends what is left.
    pub(crate) async fn end(&self) {
        if let Some((provider, _)) = &self.0 {
            let provider = provider.clone();
            let ended = move || provider.shutdown_with_timeout(FLUSH);
            if let Ok(Err(error)) = tokio::task::spawn_blocking(ended).await {
                tracing::warn!(event.kind = "otel", cause = %error, "some spans were not sent");
            }
        }
    }
}

impl Span {
    pub(in crate::http) fn end(self, status: StatusCode) {
        if let Some(mut span) = self.0 {
            let code = i64::from(status.as_u16());
            span.set_attribute(KeyValue::new("http.response.status_code", code));
            if status.is_server_error() {
                span.set_status(Status::error(""));
            }
            span.end();
        }
    }
}

/// The caller's span, without the words that the caller keeps beside it.
fn caller(headers: &HeaderMap) -> Spanning {
    let found = TraceContextPropagator::new().extract(&Headers(headers));
    let span = found.span().span_context().clone();
    Spanning::new().with_remote_span_context(SpanContext::new(
        span.trace_id(),
        span.span_id(),
        span.trace_flags(),
        true,
        TraceState::NONE,
    ))
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}
