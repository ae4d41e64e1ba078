//! Task that stops only because the agent of its session is gone.

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

    /// True if the task ended only because the agent of its session was gone. No journal has this end, so an agent that
    /// takes the session up runs the task again.
    pub(crate) fn is_cut_short(&self) -> bool {
        let state = self.state();
        let is_abandoned = state.extras.as_ref().is_some_and(|extras| extras.is_abandoned);
        let is_known = state.resolution().is_some();
        match &state.phase {
            Phase::Settled(result) => is_abandoned && !is_known && !matches!(result.outcome, TaskOutcome::Completed(_)),
            Phase::Open | Phase::Ended => false,
        }
    }
}
