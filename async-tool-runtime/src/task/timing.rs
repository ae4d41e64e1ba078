//! Times of a task.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// Times at which a task was accepted, started and settled.
///
/// ```
/// use async_tool_runtime::task::{Timestamp, Timing};
/// use std::time::Duration;
///
/// let [accepted, started, settled] = [0, 200, 1_500].map(Timestamp::from_millis);
/// let timing = Timing::new(accepted, Some(started), settled);
/// assert_eq!(timing.queued(), Duration::from_millis(200));
/// assert_eq!(timing.running(), Duration::from_millis(1_300));
/// assert_eq!(timing.elapsed(), Duration::from_millis(1_500));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Timing {
    /// Time of acceptance.
    pub accepted: Timestamp,
    /// Start of the first attempt; `None` if it never ran.
    pub started: Option<Timestamp>,
    /// Time of the end.
    pub settled: Timestamp,
}

impl Timing {
    /// Creates a timing; `started` is `None` for a task that never ran.
    #[must_use]
    pub const fn new(accepted: Timestamp, started: Option<Timestamp>, settled: Timestamp) -> Self {
        Self {
            accepted,
            started,
            settled,
        }
    }

    /// Time from acceptance to the end.
    #[must_use]
    pub const fn elapsed(&self) -> Duration {
        self.settled.since(self.accepted)
    }

    /// Time that the task waited for a slot; all of its time if it never ran.
    ///
    /// ```
    /// use async_tool_runtime::task::{Timestamp, Timing};
    /// use std::time::Duration;
    ///
    /// // Cancelled in the queue.
    /// let timing = Timing::new(Timestamp::from_millis(0), None, Timestamp::from_millis(400));
    /// assert_eq!(timing.queued(), Duration::from_millis(400));
    /// assert_eq!(timing.running(), Duration::ZERO);
    /// ```
    #[must_use]
    pub fn queued(&self) -> Duration {
        self.started.unwrap_or(self.settled).since(self.accepted)
    }

    /// Time from the first attempt to the end, with the pauses between attempts; zero if the task never ran.
    #[must_use]
    pub fn running(&self) -> Duration {
        self.started
            .map_or(Duration::ZERO, |started| self.settled.since(started))
    }
}
