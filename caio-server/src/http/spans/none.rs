//! What stands in for spans in a program that is built without them.
#![expect(
    clippy::unused_async,
    clippy::unused_self,
    clippy::unnecessary_wraps,
    reason = "the interface of the real ones"
)]

use axum::http::{HeaderMap, Method, StatusCode};

use crate::exit::Result;
use crate::wiring::Context;

/// No spans.
#[derive(Debug)]
pub(crate) struct Spans;

/// No span.
#[derive(Debug)]
pub(in crate::http) struct Span;

impl Spans {
    /// # Errors
    /// None.
    pub(crate) fn new(context: &Context) -> Result<Self> {
        let name = "OTEL_EXPORTER_OTLP_ENDPOINT";
        if context.given(name).is_some() {
            context.printer.warn(&format!(
                "{name} has no effect: this program is built without `--features otel`"
            ));
        }
        Ok(Self)
    }

    pub(in crate::http) const fn begin(&self, _: &Method, _: &str, _: &HeaderMap) -> Span {
        Span
    }

    pub(crate) async fn end(&self) {}
}

impl Span {
    pub(in crate::http) const fn end(self, _: StatusCode) {}
}
