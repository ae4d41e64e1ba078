//! Open questions of a session, for its host.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    clock::Timestamp,
    id::{TaskId, TaskNo},
    task::NamedTask,
    tool::InputRequest,
};

/// Open question of a session: of one of its tasks, or of a task below one. From
/// [`questions`](super::AsyncAgent::questions).
///
/// ```
/// use async_tool_runtime::{agent::AgentQuestion, manager::ResolveError, tool::InputRequest, AsyncToolManager};
/// use serde_json::Value;
///
/// /// Row of a list of questions.
/// fn row(question: &AgentQuestion) -> String {
///     match &question.request {
///         InputRequest::Approval { arguments } => format!("{} {}?", question.tool, arguments.value()),
///         InputRequest::Input { prompt, .. } => format!("{}: {prompt}", question.tool),
///         _ => question.tool.to_string(),
///     }
/// }
///
/// /// Gives the user's answer: only `true` consents to a call, and `null` refuses to answer.
/// fn answer(manager: &AsyncToolManager, question: &AgentQuestion, answer: Value) -> Result<(), ResolveError> {
///     match (&question.request, answer) {
///         (InputRequest::Approval { .. }, Value::Bool(true)) => manager.approve(question.asking),
///         (InputRequest::Approval { .. }, _) | (_, Value::Null) => manager.refuse(question.asking, "the user refused"),
///         (_, answer) => manager.answer(question.asking, answer),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AgentQuestion {
    /// Number of the session's task.
    pub number: TaskNo,
    /// Task to answer, on the manager of the agent: the session's task, or one below it.
    pub asking: TaskId,
    /// Tasks from the session's task down to the one that asks, both included. A task that asks on another manager is the last
    /// one, and `asking` passes the answer on to it.
    pub path: Vec<NamedTask>,
    /// Name of the tool that asks, or whose call needs consent.
    pub tool: Arc<str>,
    /// The question: arguments of the call that needs consent, or a text with the schema of the answer.
    pub request: InputRequest,
    /// Time at which it was asked, in this process.
    pub since: Timestamp,
    /// True if the function that asked is gone with an earlier process, and must not run twice. Such a question can be refused,
    /// and its task completed with [`resolve`](crate::manager::AsyncToolManager::resolve).
    pub is_gone: bool,
}
