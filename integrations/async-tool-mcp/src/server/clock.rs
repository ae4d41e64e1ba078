//! Time of a server: milliseconds since the Unix epoch, advanced by tokio's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat};
use tokio::time::Instant;

#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    origin: u64,
    started: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            origin: millis(since_epoch),
            started: Instant::now(),
        }
    }

    pub(super) fn now(&self) -> u64 {
        self.origin.saturating_add(millis(self.started.elapsed()))
    }
}

/// Milliseconds of a duration.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A time as ISO 8601 in UTC.
pub(super) fn iso(time: u64) -> String {
    let time = i64::try_from(time).ok().and_then(DateTime::from_timestamp_millis);
    time.unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}
