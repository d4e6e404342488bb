//! A span of OpenTelemetry for each request, in a program that is built with `--features otel`.

#[cfg(not(feature = "otel"))]
mod none;
#[cfg(feature = "otel")]
mod sent;

#[cfg(not(feature = "otel"))]
pub(super) use none::Span;
#[cfg(not(feature = "otel"))]
pub(crate) use none::Spans;
#[cfg(feature = "otel")]
pub(super) use sent::Span;
#[cfg(feature = "otel")]
pub(crate) use sent::Spans;
