//! Task with its names.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    id::{TaskId, TaskNo},
    session::SessionId,
};

/// Task with its names.
///
/// ```
/// use async_tool_runtime::agent::AgentQuestion;
///
/// /// Path of a question, such as `research › delete`.
/// fn path(question: &AgentQuestion) -> String {
///     let tools: Vec<&str> = question.path.iter().map(|task| &*task.tool).collect();
///     tools.join(" › ")
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct NamedTask {
    /// The task.
    pub task: TaskId,
    /// Number of the task in its session, if it has one.
    pub number: Option<TaskNo>,
    /// Session of the task.
    pub session: SessionId,
    /// Name of the tool.
    pub tool: Arc<str>,
}
