//! Status of a task.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Status of a task, in MCP's words.
///
/// ```
/// use async_tool_runtime::TaskStatus;
///
/// let icon = |status| match status {
///     TaskStatus::Queued => "…",
///     TaskStatus::Running => "▶",
///     TaskStatus::InputRequired => "?",
///     TaskStatus::Completed => "✓",
///     TaskStatus::Failed => "✗",
///     TaskStatus::Cancelled => "■",
///     _ => " ",
/// };
/// assert_eq!(icon(TaskStatus::Running), "▶");
/// ```
///
/// | here | MCP tasks | OpenAI Responses | A2A |
/// |---|---|---|---|
/// | `Queued` | `working` | `queued` | `submitted` |
/// | `Running` | `working` | `in_progress` | `working` |
/// | `InputRequired` | `input_required` | `in_progress` | `input-required` |
/// | `Completed` | `completed` | `completed` | `completed` |
/// | `Failed` | `failed` | `failed` | `failed` |
/// | `Cancelled` | `cancelled` | `cancelled` | `canceled` |
///
/// Sources: the Model Context Protocol's tasks extension, OpenAI's Responses API reference, and the A2A protocol's `TaskState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TaskStatus {
    /// Accepted, and not started yet.
    Queued,
    /// The tool runs.
    Running,
    /// The task, or one below it, waits for the answer or the consent of people.
    InputRequired,
    /// Ended with a value.
    Completed,
    /// Ended with an error, or with an unknown outcome.
    Failed,
    /// Ended because it was told to stop.
    Cancelled,
}

impl TaskStatus {
    /// True if the task has ended. A terminal status never changes.
    ///
    /// ```
    /// use async_tool_runtime::TaskStatus;
    ///
    /// assert!(TaskStatus::Failed.is_terminal());
    /// assert!(!TaskStatus::InputRequired.is_terminal());
    /// ```
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Status of a task that has not ended. All parts of the library ask this function.
    pub(crate) const fn of_open(asks: bool, has_started: bool) -> Self {
        match (asks, has_started) {
            (true, _) => Self::InputRequired,
            (false, true) => Self::Running,
            (false, false) => Self::Queued,
        }
    }

    /// The status in snake case, as it is serialised.
    ///
    /// ```
    /// use async_tool_runtime::TaskStatus;
    ///
    /// assert_eq!(TaskStatus::InputRequired.as_str(), "input_required");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::InputRequired => "input_required",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
