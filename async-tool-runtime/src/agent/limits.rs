//! Limits of one run of an agent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use std::fmt;

use crate::model::Usage;

/// Limits of the work for one user message. They end a model that calls tools in a circle or answers itself for ever.
///
/// Each user message begins a new run. At a limit the agent stops calling its model and emits
/// [`AgentEventKind::LimitReached`](super::AgentEventKind::LimitReached). Tasks go on, and their results wait. Nothing
/// is lost: the next message begins a new run and delivers all of them.
///
/// ```
/// use async_tool_runtime::{agent::RunLimits, AsyncAgent, AsyncToolManager, RulePlanner};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().build()?;
/// let limits = RunLimits::default().with_turns(20).with_tokens(200_000);
/// assert_eq!((limits.turns, limits.tool_calls, limits.tokens), (20, 1_000, 200_000));
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager).limits(limits).start().await?;
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunLimits {
    /// Most model calls, failed ones included. Default: 100.
    pub turns: u32,
    /// Most tool calls. Further calls of the same turn get an error as their answer, and run nothing. Default: 1,000.
    pub tool_calls: u32,
    /// Most tokens read and written, as far as the model reports its usage. Default: any number.
    pub tokens: u64,
    /// Equal ends of equal calls that end the run with [`RunLimit::Repetition`]. Default: 3.
    ///
    /// - Failures of one kind and message count in the whole run. Numbers in the messages don't count.
    /// - Equal values count in turns that follow each other, if each makes only the same calls.
    /// - A result that the model is shown again counts as an equal value.
    ///
    /// Calls of a tool with [`Dedupe::Allow`](crate::policy::Dedupe::Allow) don't count.
    pub repetitions: u32,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            turns: 100,
            tool_calls: 1_000,
            tokens: u64::MAX,
            repetitions: 3,
        }
    }
}

impl RunLimits {
    /// No limits.
    pub const NONE: Self = Self {
        turns: u32::MAX,
        tool_calls: u32::MAX,
        tokens: u64::MAX,
        repetitions: u32::MAX,
    };

    /// Sets the limit of model calls.
    #[must_use]
    pub const fn with_turns(mut self, turns: u32) -> Self {
        self.turns = turns;
        self
    }

    /// Sets the limit of tool calls.
    #[must_use]
    pub const fn with_tool_calls(mut self, calls: u32) -> Self {
        self.tool_calls = calls;
        self
    }

    /// Sets the limit of tokens.
    #[must_use]
    pub const fn with_tokens(mut self, tokens: u64) -> Self {
        self.tokens = tokens;
        self
    }

    /// Sets the limit of repetitions.
    #[must_use]
    pub const fn with_repetitions(mut self, repetitions: u32) -> Self {
        self.repetitions = repetitions;
        self
    }

    /// Limit that a run with these totals has reached, if any.
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

/// Totals of an agent since the last user message.
///
/// ```
/// # use async_tool_runtime::{async_tool, tools, AsyncAgent, AsyncToolManager, RulePlanner};
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 { a + b }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
/// let totals = agent.run_to_completion("add 2 3 and then add 4 5").await?.totals;
/// assert_eq!((totals.turns, totals.tool_calls), (2, 2));
/// assert_eq!(totals.usage.output, 0); // The planner reports no usage.
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunTotals {
    /// Number of model calls.
    pub turns: u32,
    /// Model calls among them that were [broken off](crate::agent::AgentPolicy::gives_way) before the model said anything.
    /// Providers bill the input of such a call and report no usage, so `usage` lacks it.
    #[serde(default)]
    pub withdrawn: u32,
    /// Times that the [grounding check](crate::agent::Grounding) asked the model once more.
    #[serde(default)]
    pub asked_again: u32,
    /// Number of tool calls, calls of the `task` tool included.
    pub tool_calls: u32,
    /// Usage of all turns that ended.
    pub usage: Usage,
}

/// Limit that a run has reached.
///
/// ```
/// use async_tool_runtime::{
///     agent::{RunLimit, RunLimits},
///     async_tool, tools, AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner,
/// };
///
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 { a + b }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).limits(RunLimits::default().with_turns(1)).start().await?;
/// let mut events = agent.events();
/// agent.send("add 2 3").await?;
/// let limit = loop {
///     match events.next().await.expect("the session is open").kind {
///         AgentEventKind::LimitReached { limit } => break limit,
///         _ => {}
///     }
/// };
/// assert_eq!(limit, RunLimit::Turns(1));
/// assert_eq!(limit.to_string(), "the limit of 1 model calls for one message was reached");
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
pub enum RunLimit {
    /// Limit of model calls.
    Turns(u32),
    /// Limit of tool calls.
    ToolCalls(u32),
    /// Limit of tokens.
    Tokens(u64),
    /// The model repeated itself as often as [`RunLimits::repetitions`] allows, or made only calls that repeat open tasks. While such a
    /// task is open, its result still starts a turn.
    Repetition,
}

impl fmt::Display for RunLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Turns(limit) => write!(f, "the limit of {limit} model calls for one message was reached"),
            Self::ToolCalls(limit) => write!(f, "the limit of {limit} tool calls for one message was reached"),
            Self::Tokens(limit) => write!(f, "the limit of {limit} tokens for one message was reached"),
            Self::Repetition => f.write_str("the model repeated itself without getting any further"),
        }
    }
}
