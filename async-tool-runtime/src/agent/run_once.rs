//! One message from its start to its end, without a manager and an agent of the host's.

use std::{error::Error, fmt, sync::Arc};

use super::{AgentError, AsyncAgent, RunError, RunSummary, StartError};
use crate::{
    content::Content,
    manager::{AsyncToolManager, BuildError},
    model::Model,
    tool::Tool,
};

/// Lets a model answer one message with these tools, and returns its last message.
///
/// It makes a manager and an agent with their defaults, calls [`AsyncAgent::run_to_completion`], and closes the agent.
///
/// ```
/// use async_tool_runtime::{RulePlanner, async_tool, run, tools};
///
/// /// Counts the words of a text.
/// #[async_tool(effect = "read")]
/// async fn count_words(text: String) -> usize {
///     text.split_whitespace().count()
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // `RulePlanner` stands in for a language model.
/// let summary = run(RulePlanner::new(), tools![count_words], r#"count_words "to be or not to be""#).await?;
/// assert_eq!(summary.text, "t1 count_words is done: 6");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`RunOnceError`]: the tools don't fit together, the agent can't start, or the run fails. The tasks have stopped then.
///
/// # Cancel safety
///
/// If the future is dropped, the agent stops its tasks. What they have done by then is not undone.
pub async fn run(
    model: impl Model,
    tools: impl IntoIterator<Item = Arc<dyn Tool>>,
    message: impl Into<Content>,
) -> Result<RunSummary, RunOnceError> {
    let manager = AsyncToolManager::builder()
        .tools(tools)
        .build()
        .map_err(RunOnceError::Build)?;
    let agent = AsyncAgent::builder(model, manager)
        .start()
        .await
        .map_err(RunOnceError::Start)?;
    let ran = agent.run_to_completion(message).await;
    let closed = agent.close().await;
    let summary = ran.map_err(RunOnceError::Run)?;
    closed.map_err(RunOnceError::Close)?;
    Ok(summary)
}

/// Error of [`run`].
///
/// ```
/// use async_tool_runtime::{RulePlanner, agent::RunOnceError, async_tool, run, tools};
///
/// /// Adds one.
/// #[async_tool(effect = "read")]
/// fn add_one(number: i64) -> i64 {
///     number + 1
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let error = run(RulePlanner::new(), tools![add_one, add_one], "hello").await.unwrap_err();
/// assert!(matches!(error, RunOnceError::Build(_)));
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum RunOnceError {
    /// The tools don't fit together.
    Build(BuildError),
    /// The agent could not start.
    Start(StartError),
    /// The run failed.
    Run(RunError),
    /// The session could not be closed.
    Close(AgentError),
}

impl fmt::Display for RunOnceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Build(_) => "the manager could not be built",
            Self::Start(_) => "the agent could not start",
            Self::Run(_) => "the run failed",
            Self::Close(_) => "the session could not be closed",
        })
    }
}

impl Error for RunOnceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self {
            Self::Build(error) => error,
            Self::Start(error) => error,
            Self::Run(error) => error,
            Self::Close(error) => error,
        })
    }
}
