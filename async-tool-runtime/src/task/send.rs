//! Why a message to a task was not kept.

use std::fmt;

/// A message was not accepted.
///
/// There is no error for a tool that doesn't read its messages: whether one does is known only when it asks. What it never reads is
/// dropped when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The manager knows no such task.
    NotFound,
    /// The function has ended: the task is settled, or waits to be completed [from outside](crate::tool::ToolContext::defer).
    Ended,
    /// 64 messages wait that the tool hasn't read.
    Full,
    /// The task runs on a [`Backend`](crate::backend::Backend), where no message reaches it.
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
