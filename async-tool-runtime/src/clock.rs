//! Time in the library: milliseconds since the Unix epoch, advanced by tokio's clock.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Point in time: whole milliseconds since the Unix epoch.
///
/// Journals and results hold timestamps, so their times mean the same in another process.
///
/// ```
/// use async_tool_runtime::task::Timestamp;
/// use std::time::Duration;
///
/// let accepted = Timestamp::from_millis(1_700_000_000_000);
/// let deadline = accepted.after(Duration::from_secs(30));
/// assert!(accepted < deadline);
/// assert_eq!(deadline.since(accepted), Duration::from_secs(30));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Creates a timestamp from milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Current time of the system clock. It goes on while a test has tokio's clock paused.
    pub(crate) fn of_system() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(since_epoch.as_secs().saturating_mul(1_000) + u64::from(since_epoch.subsec_millis()))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Time since `earlier`; zero if `earlier` is later than this.
    ///
    /// ```
    /// use async_tool_runtime::task::Timestamp;
    /// use std::time::Duration;
    ///
    /// let (first, second) = (Timestamp::from_millis(100), Timestamp::from_millis(350));
    /// assert_eq!(second.since(first), Duration::from_millis(250));
    /// assert_eq!(first.since(second), Duration::ZERO);
    /// ```
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The time that is `by` later; the latest possible time if it can't be represented.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// Clock that reads the system clock once and then counts with tokio's. So it never runs backwards, and stops where a test
/// pauses time.
///
/// Clones are the same clock.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    origin: Timestamp,
    started: Instant,
    /// Start in the time of another runtime, whose paused clock is behind the one in which this clock was started. Without it, this clock
    /// would stand still there until the other one has caught up.
    behind: Arc<OnceLock<Instant>>,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            origin: Timestamp::of_system(),
            started: Instant::now(),
            behind: Arc::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let now = Instant::now();
        let started = match self.behind.get() {
            Some(behind) => *behind,
            None if now < self.started => *self.behind.get_or_init(|| now),
            None => self.started,
        };
        self.origin.after(now.saturating_duration_since(started))
    }
}

#[cfg(test)]
mod tests {
    use tokio::{runtime::Builder, time::sleep};

    use super::*;

    #[test]
    fn a_clock_goes_on_in_a_runtime_whose_time_is_behind() {
        let paused = || Builder::new_current_thread().enable_time().start_paused(true).build();
        let clock = paused().unwrap().block_on(async {
            sleep(Duration::from_secs(3_600)).await;
            Clock::start()
        });
        paused().unwrap().block_on(async {
            let before = clock.now();
            sleep(Duration::from_millis(250)).await;
            assert_eq!(clock.clone().now().since(before), Duration::from_millis(250));
            sleep(Duration::from_secs(7_200)).await;
            assert_eq!(clock.now().since(before), Duration::from_millis(7_200_250));
        });
    }
}
