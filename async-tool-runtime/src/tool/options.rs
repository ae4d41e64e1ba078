//! How the calls of a tool are to be run.

use std::time::Duration;

use super::{Background, Effect};

/// How the calls of a tool are to be run. Everything has a default; `None` means the manager's or agent's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolOptions {
    /// What a call does to the world. Default: [`Effect::Once`].
    pub effect: Effect,
    /// Whether a call may outlive the turn. Default: [`Background::Auto`].
    pub background: Background,
    /// How long the end of a turn waits for the result before it acknowledges the call. Default: the agent's.
    pub grace: Option<Duration>,
    /// How long a call may run, from its start. Default: the manager's.
    pub timeout: Option<Duration>,
}

impl ToolOptions {
    /// The defaults.
    pub const DEFAULT: &'static Self = &Self {
        effect: Effect::Once,
        background: Background::Auto,
        grace: None,
        timeout: None,
    };
}
