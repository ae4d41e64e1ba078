//! Ways to end a session.

use std::time::Duration;

/// Way to end a session. In every mode the session takes no more messages.
///
/// ```
/// use async_tool_runtime::{agent::CloseMode, async_tool, tools, AsyncAgent, AsyncToolManager, RulePlanner, TaskStatus};
/// use std::time::Duration;
///
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 { a + b }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
/// agent.send("add 2 3").await?;
/// agent.close_with(CloseMode::Drain { limit: Duration::from_secs(30) }).await?;
/// assert_eq!(agent.tasks().await?[0].status, TaskStatus::Completed);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseMode {
    /// Tasks are told to stop, and a running turn is aborted. The session ends when all tasks have ended. The default.
    #[default]
    Cancel,
    /// The agent goes on until it is idle: tasks end, their results are delivered, the model answers. After `limit`,
    /// everything that still runs is cancelled.
    Drain {
        /// Longest duration of the drain.
        limit: Duration,
    },
    /// The session ends at once, and its tasks go on without it. The manager has their results, and the model never
    /// sees them. A task that still waits for another task's result is cancelled, because nothing would start it.
    Detach,
}
