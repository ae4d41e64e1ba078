//! Errors of waiting for an agent.

use std::{error::Error, fmt};

use super::RunLimit;
use crate::{content::ContentError, model::ModelError};

/// Reason for which an agent became idle before its work was done.
///
/// Its text leaves out the cause, such as the words of the model's provider: print its [`source`](Error::source) too.
///
/// ```
/// use async_tool_runtime::{
///     agent::{RunError, RunLimit, RunLimits},
///     async_tool, tools, AsyncAgent, AsyncToolManager, RulePlanner,
/// };
///
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 { a + b }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager)
///     .limits(RunLimits::default().with_turns(1))
///     .start()
///     .await?;
/// match agent.run_to_completion("add 2 3").await {
///     Err(RunError::Limit(RunLimit::Turns(limit))) => assert_eq!(limit, 1), // The result waits for the next message.
///     other => panic!("the second turn was not refused: {other:?}"),
/// }
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RunError {
    /// The model failed, and its retries are used up.
    Model(ModelError),
    /// The run reached one of its limits; see [`RunLimits`](super::RunLimits).
    Limit(RunLimit),
    /// The session has stopped, for this reason.
    Stopped(String),
    /// The wait began inside of a tool's function, and the agent waits for that function. The tasks of this circle would
    /// wait for themselves.
    Circle(String),
    /// The message has media that the model doesn't take, or too many bytes. Nothing of it was taken.
    Content(ContentError),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(_) => f.write_str("the model failed"),
            Self::Limit(limit) => fmt::Display::fmt(limit, f),
            Self::Stopped(reason) => write!(f, "the session has stopped: {reason}"),
            Self::Content(error) => write!(f, "the message can't be sent: {error}"),
            Self::Circle(circle) => write!(
                f,
                "a tool that waits for the agent here would wait for itself: {circle}"
            ),
        }
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Model(error) => Some(error),
            Self::Limit(_) | Self::Stopped(_) | Self::Circle(_) | Self::Content(_) => None,
        }
    }
}
