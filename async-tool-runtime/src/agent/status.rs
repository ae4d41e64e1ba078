//! Status of an agent, for its handles.

use super::{AgentState, machine::Stall};

/// Status that the shell publishes after every step.
#[derive(Clone, Debug, Default)]
pub(super) struct AgentStatus {
    pub(super) state: AgentState,
    pub(super) is_quiescent: bool,
    pub(super) stalled: Option<Stall>,
    pub(super) stopped: Option<String>,
    /// True once the agent has begun to leave the session.
    pub(super) is_leaving: bool,
}

impl AgentStatus {
    /// True if the agent does nothing more.
    pub(super) fn is_over(&self) -> bool {
        self.stopped.is_some() || self.state == AgentState::Closed
    }

    /// True if the agent does nothing without a new input.
    pub(super) const fn is_at_rest(&self) -> bool {
        self.is_quiescent || self.stopped.is_some()
    }
}
