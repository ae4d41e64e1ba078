//! What goes wrong in a simulation.

/// How often what goes wrong, in a [`Sim`](super::Sim): chances from 0 to 1, all 0 by default. What is drawn depends on the seed alone.
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
    /// Nothing goes wrong.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything goes wrong now and then, but nothing hangs: an attempt of a tool fails (1 in 10) or panics (1 in 20), a turn of the model
    /// fails (1 in 10) or is truncated (1 in 20), the journal fails (1 in 20).
    ///
    /// ```
    /// use async_tool_runtime::testing::Faults;
    ///
    /// // All of them, and tools that hang as well: for a scenario whose tools have timeouts.
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

    /// An attempt of a tool fails with [`ToolErrorKind::Unavailable`](crate::tool::ToolErrorKind::Unavailable), before the function is called.
    pub fn tool_failures(mut self, chance: f64) -> Self {
        self.tool_failures = chance;
        self
    }

    /// An attempt of a tool panics, before the function is called.
    pub fn tool_panics(mut self, chance: f64) -> Self {
        self.tool_panics = chance;
        self
    }

    /// An attempt of a tool does nothing for an hour of virtual time, and goes on then: long enough for every timeout.
    pub fn tool_hangs(mut self, chance: f64) -> Self {
        self.tool_hangs = chance;
        self
    }

    /// A turn of the model fails in passing, at once or in the middle. At most two in a row for a session, which is what an agent
    /// [gets over](crate::agent::AsyncAgentBuilder::model_retries) by default.
    pub fn model_failures(mut self, chance: f64) -> Self {
        self.model_failures = chance;
        self
    }

    /// The stream of a turn ends before its turn does. Counts as a failure in passing.
    pub fn truncated_turns(mut self, chance: f64) -> Self {
        self.truncated_turns = chance;
        self
    }

    /// An append fails in passing; every second time the entries were written all the same. At most two in a row for a session, which
    /// an agent gets over.
    pub fn journal_failures(mut self, chance: f64) -> Self {
        self.journal_failures = chance;
        self
    }
}
