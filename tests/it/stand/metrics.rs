//! Metrics, as a recorder has them.

use metrics_util::debugging::{DebugValue, Snapshotter};

/// Metrics of the recorder so far, by name and labels. The value of a histogram is its sum.
pub(crate) fn numbers_of(recorder: &Snapshotter) -> impl Fn(&str, &[(&str, &str)]) -> f64 + use<> {
    // A snapshot resets the counters.
    let numbers = recorder.snapshot().into_vec();
    move |name, labels| {
        let found = numbers.iter().find(|(key, ..)| {
            let is_labelled = |(name, value): &(&str, &str)| {
                key.key()
                    .labels()
                    .any(|label| (label.key(), label.value()) == (*name, *value))
            };
            key.key().name() == name && labels.iter().all(is_labelled)
        });
        match &found.unwrap_or_else(|| panic!("{name} {labels:?} in {numbers:#?}")).3 {
            DebugValue::Counter(count) => *count as f64,
            DebugValue::Gauge(value) => value.0,
            DebugValue::Histogram(values) => values.iter().map(|value| value.0).sum(),
        }
    }
}
