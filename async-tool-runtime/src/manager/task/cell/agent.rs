//! Call that an agent carries out, in a session of its own.

use super::TaskCell;

impl TaskCell {
    /// Notes that an agent carries out this call. It stops by itself when the call is left.
    pub(crate) fn set_agent(&self) {
        self.state().extras().is_agent = true;
    }

    /// Tells the agent that carries out this call to leave its session; false if no agent does.
    pub(crate) fn leave(&self) -> bool {
        let mut state = self.state();
        let is_open = state.is_open();
        let extras = state.extras();
        let leaves = is_open && extras.is_agent;
        extras.is_left |= leaves;
        drop(state);
        self.changed.notify_waiters();
        leaves
    }

    /// True once the session of this call is left to another process.
    pub(crate) fn is_left(&self) -> bool {
        self.state().extras.as_ref().is_some_and(|extras| extras.is_left)
    }

    /// Waits until the session of this call is left to another process. Cancel safe.
    pub(crate) async fn left(&self) {
        self.wait_for(|state| state.extras.as_ref()?.is_left.then_some(()))
            .await;
    }

    /// Notes if the agent that carries out this call does something by itself; true if that is new.
    pub(crate) fn set_busy(&self, is_busy: bool) -> bool {
        let mut state = self.state();
        if state.extras.is_none() && !is_busy {
            return false;
        }
        std::mem::replace(&mut state.extras().is_busy, is_busy) != is_busy
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.state().extras.as_ref().is_some_and(|extras| extras.is_busy)
    }
}
