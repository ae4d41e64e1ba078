//! The library's spans in OpenTelemetry's traces.

use std::collections::HashMap;

use async_tool_runtime::manager::TracePropagator;
use opentelemetry::{Context, propagation::TextMapPropagator as _, trace::TraceContextExt as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Propagator of `tracing-opentelemetry`: reads the id of a span as W3C `traceparent`, and continues a trace from one.
#[derive(Default)]
pub(crate) struct OpenTelemetry(TraceContextPropagator);

impl OpenTelemetry {
    fn context(&self, traceparent: &str) -> Context {
        let header = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
        self.0.extract_with_context(&Context::new(), &header)
    }
}

impl TracePropagator for OpenTelemetry {
    fn current(&self) -> Option<String> {
        let mut headers = HashMap::new();
        self.0.inject_context(&Span::current().context(), &mut headers);
        headers.remove("traceparent")
    }

    fn continued(&self, traceparent: &str, then: &mut dyn FnMut()) {
        // The bridge makes a span the child of OpenTelemetry's current context.
        let _guard = self.context(traceparent).attach();
        then();
    }

    fn link(&self, traceparent: &str) {
        let context = self.context(traceparent).span().span_context().clone();
        Span::current().add_link(context);
    }
}
