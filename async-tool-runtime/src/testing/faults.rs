//! Faults of a simulation.

/// Chances of faults in a [`Sim`](super::Sim), each from 0 to 1. Default: all 0. The seed alone decides where they occur.
///
/// ```
/// use async_tool_runtime::testing::{Explore, Faults};
///
/// let explore = Explore::new().faults(Faults::new().tool_failures(0.2).model_failures(0.1).truncated_turns(0.1));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[must_use = "faults do nothing until an exploration has them"]
pub struct Faults {
    pub(super) tool_failures: f64,
    pub(super) tool_panics: f64,
    pub(super) tool_hangs: f64,
    pub(super) model_failures: f64,
    pub(super) truncated_turns: f64,
    pub(super) journal_failures: f64,
}

impl Faults {
    /// No faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every fault except hanging:
    ///
    /// - An attempt of a tool fails (1 in 10) or panics (1 in 20).
    /// - A turn of the model fails (1 in 10) or is truncated (1 in 20).
    /// - An append to the journal fails (1 in 20).
    ///
    /// ```
    /// use async_tool_runtime::testing::Faults;
    ///
    /// // Tools that hang as well, for a scenario whose tools have timeouts.
    /// let faults = Faults::some().tool_hangs(0.05);
    /// # let _ = faults;
    /// ```
    pub fn some() -> Self {
        Self {
            tool_failures: 0.1,
            tool_panics: 0.05,
            tool_hangs: 0.0,
            model_failures: 0.1,
            truncated_turns: 0.05,
            journal_failures: 0.05,
        }
    }

    /// Sets the chance that an attempt of a tool fails with [`ToolErrorKind::Unavailable`](crate::tool::ToolErrorKind::Unavailable), before
    /// its function is called.
    pub fn tool_failures(mut self, chance: f64) -> Self {
        self.tool_failures = chance;
        self
    }

    /// Sets the chance that an attempt of a tool panics, before its function is called.
    pub fn tool_panics(mut self, chance: f64) -> Self {
        self.tool_panics = chance;
        self
    }

    /// Sets the chance that an attempt of a tool waits for an hour of virtual time before its function is called. This is meant to exceed
    /// the tool's timeout.
    pub fn tool_hangs(mut self, chance: f64) -> Self {
        self.tool_hangs = chance;
        self
    }

    /// Sets the chance that a turn of the model fails with a transient error, at its beginning or in its middle. At most two in a row fail
    /// in a session, and an agent [retries](crate::agent::AsyncAgentBuilder::model_retries) that many by default.
    pub fn model_failures(mut self, chance: f64) -> Self {
        self.model_failures = chance;
        self
    }

    /// Sets the chance that the stream of a turn ends too early. It counts as a transient error.
    pub fn truncated_turns(mut self, chance: f64) -> Self {
        self.truncated_turns = chance;
        self
    }

    /// Sets the chance that an append reports a transient error. In half of these cases the entries have been written nonetheless. At most
    /// two in a row fail in a session, and an agent retries that many.
    pub fn journal_failures(mut self, chance: f64) -> Self {
        self.journal_failures = chance;
        self
    }
}
