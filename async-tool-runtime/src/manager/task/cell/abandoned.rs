//! Task that stops only because the agent of its session is gone.

use std::sync::Arc;

use super::{Phase, TaskCell};
use crate::task::TaskOutcome;

impl TaskCell {
    /// Notes that the agent of this task's session is gone. The task is told to stop for no other reason.
    pub(crate) fn abandon(&self) {
        let mut state = self.state();
        if !matches!(state.phase, Phase::Settled(_)) {
            state.extras().is_abandoned = true;
        }
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.state().extras.as_ref().is_some_and(|extras| extras.is_abandoned)
    }

    /// True if the task ended only because the agent of its session was gone, without an outcome of its own. No journal has
    /// this end, so an agent that takes the session up runs the task again.
    pub(crate) fn is_cut_short(self: &Arc<Self>) -> bool {
        let is_left = self.working().is_left();
        let state = self.state();
        let is_abandoned = state.extras.as_ref().is_some_and(|extras| extras.is_abandoned);
        let (Phase::Settled(result), true, None) = (&state.phase, is_abandoned, state.resolution()) else {
            return false;
        };
        match result.outcome {
            TaskOutcome::Completed(_) => false,
            TaskOutcome::Cancelled(_) => true,
            // An agent that left its session, which goes on elsewhere.
            TaskOutcome::Failed(_) | TaskOutcome::Unknown(_) => is_left,
        }
    }
}
