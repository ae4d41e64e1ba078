//! Error of sending a message to a task.

use std::fmt;

/// Refusal of a message to a task.
///
/// A tool that never reads its messages causes no error, because the manager can't know that in advance. Unread messages are
/// dropped when the tool ends.
///
/// ```
/// # use async_tool_runtime::{AsyncToolManager, async_tool, tools};
/// use async_tool_runtime::task::{SendError, TaskId};
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 {
/// #     a + b
/// # }
///
/// let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// let refusal = manager.send(TaskId::new(), "use the newest data");
/// assert_eq!(refusal, Err(SendError::NotFound));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The manager doesn't know the task, or has forgotten it since it ended.
    NotFound,
    /// The function has returned: the task has ended, or waits to be completed [from outside](crate::tool::ToolContext::defer).
    Ended,
    /// 64 messages are unread.
    Full,
    /// The task runs on a [`Backend`](crate::backend::Backend), which messages can't reach.
    Unsupported,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "there is no such task; ask the manager that runs it, before it forgets it",
            Self::Ended => "the task reads no messages any more: its function has ended",
            Self::Full => "the task has 64 messages that it hasn't read; send more when it has read some",
            Self::Unsupported => "the task runs on a backend, where no message reaches it",
        })
    }
}

impl std::error::Error for SendError {}
