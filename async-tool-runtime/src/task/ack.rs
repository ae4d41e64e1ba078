//! The immediate reply to a call.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::TaskStatus;
use crate::id::{TaskId, TaskNo};
use crate::tool::Arguments;

/// Acknowledgement of a call that goes on in the background, for the model.
///
/// The acknowledgement carries no result, and says so: with a bare "accepted", small models make one up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskAck {
    /// The task.
    pub task: TaskId,
    /// Its number in the session, where it has one.
    pub number: Option<TaskNo>,
    /// The name of the tool.
    pub tool: Arc<str>,
    /// The arguments as the model sent them.
    pub arguments: Arguments,
    /// Status at the time of the acknowledgement.
    pub status: TaskStatus,
}

impl TaskAck {
    /// The instruction that goes with every acknowledgement.
    pub const INSTRUCTION: &'static str = "Running in the background; there is no result yet. The result will be given to you when it is ready. \
         Go on with other work or answer the user. Do not guess, invent or announce the result before it is given to you.";

    /// An acknowledgement of a task.
    #[must_use]
    pub fn new(
        task: TaskId,
        number: Option<TaskNo>,
        tool: impl Into<Arc<str>>,
        arguments: Arguments,
        status: TaskStatus,
    ) -> Self {
        Self {
            task,
            number,
            tool: tool.into(),
            arguments,
            status,
        }
    }

    /// The acknowledgement as the model reads it: a JSON object with `task`, `tool`, `arguments`, `status` and
    /// `instruction`. The task is named by its number where it has one, otherwise by its id.
    #[must_use]
    pub fn to_model_json(&self) -> Value {
        let task = self
            .number
            .map_or_else(|| self.task.to_string(), |number| number.to_string());
        json!({
            "task": task,
            "tool": self.tool,
            "arguments": self.arguments,
            "status": self.status,
            "instruction": Self::INSTRUCTION,
        })
    }
}
