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
///     AgentState::Waiting | AgentState::Thinking | AgentState::Answering => "yellow",
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
    /// Nothing happens without a new input: [`run_until_idle`](crate::AsyncAgent::run_until_idle) returns. Results with
    /// [`DeliveryPolicy::Silent`](crate::tool::DeliveryPolicy::Silent) may be left for the next message.
    #[default]
    Idle,
    /// No turn runs, and more happens by itself: tasks run or wait for people, or a turn is due, such as the one for a late result or
    /// the repetition of a failed one.
    Waiting,
    /// A turn runs.
    Thinking,
    /// A turn has ended with calls, and the agent waits for their results, for the grace time.
    Answering,
    /// The session takes no more messages. Its turn and tasks finish, or are being stopped.
    Closing,
    /// The session is over.
    Closed,
}
