//! State of the watch over the queue.

use std::time::Duration;

use tokio::task::AbortHandle;

use crate::clock::Timestamp;

/// Wait for a slot that is logged.
const LONG: Duration = Duration::from_secs(5);
/// Shortest time between two such lines, as long as a task waits.
const SILENCE: Duration = Duration::from_secs(60);

/// State of the watch over the queue.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Tokio task with the timer.
    pub(super) timer: Option<AbortHandle>,
    /// Time of the last line; forgotten when no task waits.
    pub(super) told: Option<Timestamp>,
}

impl Watch {
    /// True while a timer runs; false also if its runtime was shut down.
    pub(super) fn is_on(&self) -> bool {
        self.timer.as_ref().is_some_and(|timer| !timer.is_finished())
    }

    /// Time at which the task that came first, at `oldest`, has waited for long; `None` if no task waits.
    pub(super) fn due(&mut self, oldest: Option<Timestamp>) -> Option<Timestamp> {
        let Some(since) = oldest else {
            self.told = None;
            return None;
        };
        let quiet = self.told.map_or(since, |told| told.after(SILENCE));
        Some(since.after(LONG).max(quiet))
    }
}
