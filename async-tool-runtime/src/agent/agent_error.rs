//! Errors of requests to an agent.

use std::{error::Error, fmt};

use crate::{content::ContentError, id::TaskNo};

/// Error of a request to an agent.
///
/// ```
/// use async_tool_runtime::{agent::AgentError, AsyncAgent, AsyncToolManager, RulePlanner, TaskNo};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).start().await?;
/// let error = agent.cancel(TaskNo::new(7), "too slow").await.unwrap_err();
/// assert_eq!(error, AgentError::UnknownTask(TaskNo::new(7)));
/// assert_eq!(error.to_string(), "the session has no task t7");
///
/// agent.close().await?;
/// assert_eq!(agent.send("hello").await, Err(AgentError::Closed));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AgentError {
    /// The session is closed or closing.
    Closed,
    /// The session has stopped, for this reason. Everything can still be read.
    Stopped(String),
    /// The session has no such task.
    UnknownTask(TaskNo),
    /// The message has media that the model doesn't take, or too many bytes. Nothing of it was taken.
    Content(ContentError),
}

impl fmt::Display for AgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the session is closed"),
            Self::Stopped(reason) => write!(f, "the session has stopped: {reason}"),
            Self::UnknownTask(task) => write!(f, "the session has no task {task}"),
            Self::Content(error) => write!(f, "the message can't be sent: {error}"),
        }
    }
}

impl Error for AgentError {}
