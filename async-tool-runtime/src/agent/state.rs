//! State of an agent.

use serde::Serialize;

/// State of an agent.
///
/// ```
/// use async_tool_runtime::{agent::AgentState, AsyncAgent, AsyncToolManager, RulePlanner};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).start().await?;
/// let light = |state| match state {
///     AgentState::Idle => "green",
///     AgentState::Thinking | AgentState::Answering => "yellow",
///     _ => "red",
/// };
/// assert_eq!(light(agent.state()), "green");
/// agent.close().await?;
/// assert_eq!(light(agent.state()), "red");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AgentState {
    /// No turn runs. Tasks may run.
    #[default]
    Idle,
    /// A turn runs.
    Thinking,
    /// A turn has ended with calls, and the agent waits for their results, for the grace time.
    Answering,
    /// The session takes no more messages. Its turn and tasks finish, or are being stopped.
    Closing,
    /// The session is over.
    Closed,
}
