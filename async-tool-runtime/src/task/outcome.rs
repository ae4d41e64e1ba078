//! Outcome of a task.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::TaskStatus;
use crate::tool::{ToolError, deep_result, is_too_deep};

/// Outcome of a task. A timeout is `Failed` with [`ToolErrorKind::Timeout`](crate::tool::ToolErrorKind::Timeout).
///
/// ```
/// use async_tool_runtime::TaskOutcome;
/// use serde_json::json;
///
/// fn summary(outcome: &TaskOutcome) -> String {
///     match outcome {
///         TaskOutcome::Completed(value) => format!("returned {value}"),
///         TaskOutcome::Failed(error) => format!("failed: {}", error.message()),
///         TaskOutcome::Cancelled(reason) => format!("stopped: {reason}"),
///         TaskOutcome::Unknown(reason) => format!("check its effects: {reason}"),
///         _ => "ended".to_owned(),
///     }
/// }
///
/// assert_eq!(summary(&TaskOutcome::Completed(json!(5))), "returned 5");
/// assert_eq!(summary(&TaskOutcome::Cancelled("not needed".into())), "stopped: not needed");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "status", content = "value")]
#[non_exhaustive]
pub enum TaskOutcome {
    /// The tool returned this value.
    Completed(Value),
    /// The tool failed, or could not be run.
    Failed(ToolError),
    /// The task was told to stop, for this reason. Effects before the stop remain.
    Cancelled(String),
    /// The end is unknown, for this reason. The tool's effects may or may not have happened.
    Unknown(String),
}

impl TaskOutcome {
    /// Terminal status of a task with this outcome. `Unknown` counts as failed.
    ///
    /// ```
    /// use async_tool_runtime::{TaskOutcome, TaskStatus};
    ///
    /// assert_eq!(TaskOutcome::Unknown("the worker is gone".into()).status(), TaskStatus::Failed);
    /// ```
    #[must_use]
    pub const fn status(&self) -> TaskStatus {
        match self {
            Self::Completed(_) => TaskStatus::Completed,
            Self::Failed(_) | Self::Unknown(_) => TaskStatus::Failed,
            Self::Cancelled(_) => TaskStatus::Cancelled,
        }
    }

    /// The outcome as a journal can keep it: an error in place of a value that it could not read back.
    pub(crate) fn readable(self) -> Self {
        match self {
            Self::Completed(value) if is_too_deep(&value) => Self::Failed(deep_result()),
            other => other,
        }
    }

    /// True if the tool returned a value.
    #[must_use]
    pub const fn is_completed(&self) -> bool {
        matches!(self, Self::Completed(_))
    }

    /// The returned value; `None` for any other outcome.
    ///
    /// ```
    /// use async_tool_runtime::TaskOutcome;
    /// use serde_json::json;
    ///
    /// assert_eq!(TaskOutcome::Completed(json!([1, 2])).value(), Some(&json!([1, 2])));
    /// assert_eq!(TaskOutcome::Cancelled("not needed".into()).value(), None);
    /// ```
    #[must_use]
    pub const fn value(&self) -> Option<&Value> {
        match self {
            Self::Completed(value) => Some(value),
            Self::Failed(_) | Self::Cancelled(_) | Self::Unknown(_) => None,
        }
    }

    /// The error of a failed task; `None` for any other outcome.
    ///
    /// ```
    /// use async_tool_runtime::{TaskOutcome, ToolError, ToolErrorKind};
    ///
    /// let outcome = TaskOutcome::Failed(ToolError::new(ToolErrorKind::Timeout, "no answer within 30 s"));
    /// assert_eq!(outcome.error().map(ToolError::kind), Some(ToolErrorKind::Timeout));
    /// ```
    #[must_use]
    pub const fn error(&self) -> Option<&ToolError> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Completed(_) | Self::Cancelled(_) | Self::Unknown(_) => None,
        }
    }
}
