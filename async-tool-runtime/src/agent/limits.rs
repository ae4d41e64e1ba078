//! Limits of one run of an agent.

use serde::{Deserialize, Serialize};

use std::fmt;

use crate::model::Usage;

/// Limits of the work for one message of the user's. A model that calls tools in a circle, or answers itself for ever,
/// comes to an end here.
///
/// A run begins with each message of the user's. At a limit the agent asks its model no more and says so
/// ([`AgentEventKind::LimitReached`](super::AgentEventKind::LimitReached)); tasks go on, and their results wait. Nothing is lost: the next message
/// begins a new run, with all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunLimits {
    /// Model calls, failed ones included. Default: 100.
    pub turns: u32,
    /// Tool calls. Further calls of the same turn are answered with an error, and nothing runs. Default: 1,000.
    pub tool_calls: u32,
    /// Tokens read and written, as far as the model says what it used. Default: any number.
    pub tokens: u64,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            turns: 100,
            tool_calls: 1_000,
            tokens: u64::MAX,
        }
    }
}

impl RunLimits {
    /// No limits at all.
    pub const NONE: Self = Self {
        turns: u32::MAX,
        tool_calls: u32::MAX,
        tokens: u64::MAX,
    };

    /// The same limits with another number of model calls.
    #[must_use]
    pub const fn with_turns(mut self, turns: u32) -> Self {
        self.turns = turns;
        self
    }

    /// The same limits with another number of tool calls.
    #[must_use]
    pub const fn with_tool_calls(mut self, calls: u32) -> Self {
        self.tool_calls = calls;
        self
    }

    /// The same limits with another number of tokens.
    #[must_use]
    pub const fn with_tokens(mut self, tokens: u64) -> Self {
        self.tokens = tokens;
        self
    }

    /// The limit that a run has reached which did this much, if any.
    pub(crate) const fn reached(&self, run: &RunTotals) -> Option<RunLimit> {
        if run.turns >= self.turns {
            Some(RunLimit::Turns(self.turns))
        } else if run.tool_calls >= self.tool_calls {
            Some(RunLimit::ToolCalls(self.tool_calls))
        } else if run.usage.input.saturating_add(run.usage.output) >= self.tokens {
            Some(RunLimit::Tokens(self.tokens))
        } else {
            None
        }
    }
}

/// Totals of an agent since the user's last message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunTotals {
    /// Model calls.
    pub turns: u32,
    /// Tool calls, those of the `task` tool included.
    pub tool_calls: u32,
    /// Usage of the turns that came to their end.
    pub usage: Usage,
}

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunLimit {
    /// Limit of model calls.
    Turns(u32),
    /// Limit of tool calls.
    ToolCalls(u32),
    /// Limit of tokens.
    Tokens(u64),
}

impl fmt::Display for RunLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Turns(limit) => write!(f, "the limit of {limit} model calls for one message was reached"),
            Self::ToolCalls(limit) => write!(f, "the limit of {limit} tool calls for one message was reached"),
            Self::Tokens(limit) => write!(f, "the limit of {limit} tokens for one message was reached"),
        }
    }
}
