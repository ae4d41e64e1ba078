//! Statistics of measurements.

use std::time::Duration;

/// Repeated measurements of one duration.
#[derive(Debug, Default)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn push(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Quantile: the smallest sample that at least this share of the samples doesn't exceed.
    pub(crate) fn quantile(&mut self, share: f64) -> Duration {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        let place = (self.0.len() as f64 * share) as usize;
        self.0.get(place.min(last)).copied().unwrap_or_default()
    }

    pub(crate) fn mean(&self) -> Duration {
        self.0.iter().sum::<Duration>() / self.0.len().max(1).try_into().unwrap_or(u32::MAX)
    }
}

impl IntoIterator for Samples {
    type Item = Duration;
    type IntoIter = std::vec::IntoIter<Duration>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Extend<Duration> for Samples {
    fn extend<I: IntoIterator<Item = Duration>>(&mut self, samples: I) {
        self.0.extend(samples);
    }
}

/// Formats a duration: below 10 µs in nanoseconds, else in the unit of `Debug`.
pub(crate) fn show(duration: Duration) -> String {
    if duration < Duration::from_micros(10) {
        format!("{} ns", duration.as_nanos())
    } else {
        format!("{duration:.2?}")
    }
}
