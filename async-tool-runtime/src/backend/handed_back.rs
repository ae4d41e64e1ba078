//! Task that a worker gives back.

use std::{error::Error, fmt};

/// Task that a worker gives back to the engine. The engine MUST run it again, on this worker or another one, after a pause of
/// its own.
///
/// It is neither an end of the task nor an attempt, and doesn't count towards the limit of starts.
///
/// ```
/// use async_tool_runtime::{AsyncToolManager, CancellationToken, SessionId, ToolCall, backend::HandBackReason, task::TaskSpec};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // A worker of an older program.
/// let worker = AsyncToolManager::builder().build()?;
/// let task = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "add", json!({"a": 2, "b": 3})));
/// let handed_back = worker.executor().execute(&task, 0, CancellationToken::new()).await.unwrap_err();
/// assert_eq!(handed_back.reason(), HandBackReason::UnknownTool);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct HandedBack {
    reason: HandBackReason,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Reason for which a worker gives a task back.
///
/// ```
/// use async_tool_runtime::backend::HandBackReason;
///
/// /// True if this worker can take the task again.
/// fn is_worth_a_try(reason: HandBackReason) -> bool {
///     !matches!(reason, HandBackReason::UnknownTool | HandBackReason::Stopping)
/// }
///
/// assert!(is_worth_a_try(HandBackReason::Waiting));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandBackReason {
    /// This worker has no tool of that name; another one may have it.
    UnknownTool,
    /// This worker stops.
    Stopping,
    /// The tool's [`reconcile`](crate::tool::FunctionTool::reconcile) says that the earlier run is still at work outside. It
    /// is asked again later.
    Waiting,
    /// The [link](super::WorkerLink) to the engine could not keep the start, so the function was not begun.
    Unsaved,
}

impl HandedBack {
    pub(crate) const fn new(reason: HandBackReason) -> Self {
        Self { reason, source: None }
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Reason of the hand-back.
    #[must_use]
    pub const fn reason(&self) -> HandBackReason {
        self.reason
    }
}

impl fmt::Display for HandedBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            HandBackReason::UnknownTool => "this worker has no tool of that name; give the task to another worker",
            HandBackReason::Stopping => "this worker stops; give the task to another worker",
            HandBackReason::Waiting => "an earlier run is still at work outside; ask again later",
            HandBackReason::Unsaved => "the engine could not keep the start; run the task again later",
        })
    }
}

impl Error for HandedBack {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
