//! News that a turn answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// News that a turn of the model is to answer: the most important of it.
///
/// ```
/// use async_tool_runtime::{AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner, task::TurnCause};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().build()?;
/// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
/// let mut events = agent.events();
/// agent.send("help").await?;
/// let cause = loop {
///     if let AgentEventKind::TurnStarted { cause, .. } = events.next().await.expect("the session is open").kind {
///         break cause;
///     }
/// };
/// assert_eq!(cause, TurnCause::User);
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TurnCause {
    /// Nothing but acknowledgements: the calls of the last turn run in the background.
    Acknowledgements,
    /// The library corrected the last turn.
    Correction,
    /// Results of calls, or reports of the `task` tool.
    Results,
    /// A message of the user.
    User,
}
