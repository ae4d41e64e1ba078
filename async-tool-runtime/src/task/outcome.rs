//! Outcome of a task.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::TaskStatus;
use crate::tool::ToolError;

/// Outcome of a task. A timeout is `Failed` with [`ToolErrorKind::Timeout`](crate::tool::ToolErrorKind::Timeout).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status", content = "value")]
#[non_exhaustive]
pub enum TaskOutcome {
    /// The tool returned this value.
    Completed(Value),
    /// The tool failed, or could not be run.
    Failed(ToolError),
    /// The task was told to stop, for this reason. What the tool had done by then stays done.
    Cancelled(String),
    /// The end is unknown, for this reason: its effects may or may not have happened.
    Unknown(String),
}

impl TaskOutcome {
    /// The status that a task with this outcome has.
    #[must_use]
    pub const fn status(&self) -> TaskStatus {
        match self {
            Self::Completed(_) => TaskStatus::Completed,
            Self::Failed(_) | Self::Unknown(_) => TaskStatus::Failed,
            Self::Cancelled(_) => TaskStatus::Cancelled,
        }
    }

    /// True if the tool returned a value.
    #[must_use]
    pub const fn is_completed(&self) -> bool {
        matches!(self, Self::Completed(_))
    }

    /// The value the tool returned, if it did.
    #[must_use]
    pub const fn value(&self) -> Option<&Value> {
        match self {
            Self::Completed(value) => Some(value),
            Self::Failed(_) | Self::Cancelled(_) | Self::Unknown(_) => None,
        }
    }

    /// The error the task failed with, if it did.
    #[must_use]
    pub const fn error(&self) -> Option<&ToolError> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Completed(_) | Self::Cancelled(_) | Self::Unknown(_) => None,
        }
    }
}
