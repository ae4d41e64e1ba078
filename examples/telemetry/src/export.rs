//! The exporters, and what feeds them.

use anyhow::Context as _;
use opentelemetry::{metrics::MeterProvider as _, trace::TracerProvider as _};
use opentelemetry_otlp::{MetricExporter, SpanExporter};
use opentelemetry_sdk::{Resource, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use tracing::{Level, Metadata};
use tracing_subscriber::{Layer as _, filter::filter_fn, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::recorder::OtelRecorder;

/// Exporters of traces and metrics to the collector at `OTEL_EXPORTER_OTLP_ENDPOINT`; by default, `http://localhost:4318`.
pub(crate) struct Export {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
}

impl Export {
    /// Installs a subscriber of `tracing` and a recorder of `metrics` for the whole process.
    pub(crate) fn start(service: &'static str) -> anyhow::Result<Self> {
        let resource = Resource::builder().with_service_name(service).build();
        let traces = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_batch_exporter(SpanExporter::builder().with_http().build()?)
            .build();
        let metrics = SdkMeterProvider::builder()
            .with_resource(resource)
            .with_periodic_exporter(MetricExporter::builder().with_http().build()?)
            .build();
        let layer = tracing_opentelemetry::layer()
            .with_tracer(traces.tracer("async-tool"))
            // Places in the source and threads say nothing about an agent.
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false);
        // Not the spans of the exporters' own client, which would be exported in turn. Log lines become events of their spans.
        let is_ours =
            |metadata: &Metadata<'_>| metadata.target().starts_with("async_tool::") && *metadata.level() <= Level::INFO;
        tracing_subscriber::registry()
            .with(layer.with_filter(filter_fn(is_ours)))
            .try_init()?;
        metrics::set_global_recorder(OtelRecorder(metrics.meter("async-tool")))
            .ok()
            .context("a recorder is installed already")?;
        Ok(Self { traces, metrics })
    }

    /// Sends what was not sent yet.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        self.traces.shutdown().context("can't send the last spans")?;
        self.metrics.shutdown().context("can't send the last metrics")
    }
}
