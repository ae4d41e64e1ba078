//! The runtime's metrics as OpenTelemetry's.
//!
//! `metrics-exporter-otel` does the same for OpenTelemetry 0.31.

use std::sync::Arc;

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use opentelemetry::{
    KeyValue,
    metrics::{self as otel, Meter},
};

/// Boundaries that the conventions give for durations, in seconds.
const DURATIONS: [f64; 14] = [
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];

/// Recorder that makes an instrument of each metric.
pub(crate) struct OtelRecorder(pub(crate) Meter);

struct Instrument<T> {
    instrument: T,
    attributes: Vec<KeyValue>,
}

fn instrument<T>(key: &Key, instrument: T) -> Arc<Instrument<T>> {
    let attribute = |label: &metrics::Label| KeyValue::new(label.key().to_owned(), label.value().to_owned());
    let attributes = key.labels().map(attribute).collect();
    Arc::new(Instrument { instrument, attributes })
}

impl CounterFn for Instrument<otel::Counter<u64>> {
    fn increment(&self, value: u64) {
        self.instrument.add(value, &self.attributes);
    }

    fn absolute(&self, _: u64) {
        // The runtime only counts up, and a counter of OpenTelemetry can't be set.
    }
}

impl GaugeFn for Instrument<otel::Gauge<f64>> {
    fn increment(&self, _: f64) {
        // The runtime only sets its gauges.
    }

    fn decrement(&self, _: f64) {}

    fn set(&self, value: f64) {
        self.instrument.record(value, &self.attributes);
    }
}

impl HistogramFn for Instrument<otel::Histogram<f64>> {
    fn record(&self, value: f64) {
        self.instrument.record(value, &self.attributes);
    }
}

impl Recorder for OtelRecorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let counter = self.0.u64_counter(key.name().to_owned());
        // The unit of the conventions.
        let unit = if key.name().ends_with("_tokens") {
            "{token}"
        } else {
            "1"
        };
        Counter::from_arc(instrument(key, counter.with_unit(unit).build()))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(instrument(key, self.0.f64_gauge(key.name().to_owned()).build()))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let mut histogram = self.0.f64_histogram(key.name().to_owned());
        if key.name().ends_with(".duration") || key.name().ends_with(".seconds") {
            histogram = histogram.with_unit("s").with_boundaries(DURATIONS.to_vec());
        }
        Histogram::from_arc(instrument(key, histogram.build()))
    }
}
