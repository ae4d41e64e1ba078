//! Answer to one call, as the journal has it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{id::TaskNo, task::TaskStatus};

/// Answer that a call of a turn was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CallAnswer {
    /// An acknowledgement, with the status the task had then.
    Ack(TaskNo, TaskStatus),
    /// The result.
    Result(TaskNo),
    /// Report of the `task` tool.
    Report {
        /// The number of the call.
        number: TaskNo,
        /// Content, as the model reads it.
        content: Value,
        /// The tasks whose results it holds: this is their delivery.
        tasks: Vec<TaskNo>,
    },
}

impl CallAnswer {
    /// Number of the call.
    #[must_use]
    pub const fn number(&self) -> TaskNo {
        match self {
            Self::Ack(number, _) | Self::Result(number) | Self::Report { number, .. } => *number,
        }
    }
}
