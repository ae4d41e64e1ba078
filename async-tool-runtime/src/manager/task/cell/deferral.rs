//! Completion of a task from outside, and its deadline.

use tokio::time::sleep_until;

use super::{Deadline, TaskCell};
use crate::clock::Timestamp;

impl TaskCell {
    /// Leaves the task to be completed from outside, until a deadline if there is one; the function's result no longer
    /// counts. Of several deadlines the earliest counts.
    pub(crate) fn defer(&self, until: Option<Deadline>) {
        let mut state = self.state();
        state.is_deferred = true;
        if let Some(until) = until {
            let known = &mut state.extras().deferred_until;
            if known.is_none_or(|known| until.at < known.at) {
                *known = Some(until);
                drop(state);
                self.changed.notify_waiters();
            }
        }
    }

    /// Deadline of a task that was left to be completed from outside.
    pub(crate) fn deferred_until(&self) -> Option<Timestamp> {
        Some(self.state().extras.as_ref()?.deferred_until?.time)
    }

    /// Waits for the deadline of a task that was left to be completed from outside; without one, for ever.
    pub(crate) async fn deferral_ends(&self) {
        let deadline = self.wait_for(|state| state.extras.as_ref()?.deferred_until).await;
        sleep_until(deadline.at).await;
    }

    pub(crate) fn is_deferred(&self) -> bool {
        self.state().is_deferred
    }
}
