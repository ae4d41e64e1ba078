//! Times of a task.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// Times at which a task was accepted, started and settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The timing of a task.
    #[must_use]
    pub const fn new(accepted: Timestamp, started: Option<Timestamp>, settled: Timestamp) -> Self {
        Self {
            accepted,
            started,
            settled,
        }
    }

    /// From acceptance to the end.
    #[must_use]
    pub const fn elapsed(&self) -> Duration {
        self.settled.since(self.accepted)
    }

    /// Time that the task waited for a slot.
    #[must_use]
    pub fn queued(&self) -> Duration {
        self.started.unwrap_or(self.settled).since(self.accepted)
    }

    /// Time that the tool was at work, over all attempts and the pauses between them.
    #[must_use]
    pub fn running(&self) -> Duration {
        self.started
            .map_or(Duration::ZERO, |started| self.settled.since(started))
    }
}
