//! Status of an agent, for its handles.

use super::{AgentState, machine::Stall};

/// Status that the shell publishes after every step.
#[derive(Clone, Debug, Default)]
pub(super) struct AgentStatus {
    pub(super) state: AgentState,
    pub(super) is_quiescent: bool,
    pub(super) stalled: Option<Stall>,
    pub(super) stopped: Option<String>,
}

impl AgentStatus {
    /// True if the agent does nothing without a new input.
    pub(super) const fn is_at_rest(&self) -> bool {
        self.is_quiescent || self.stopped.is_some()
    }
}
