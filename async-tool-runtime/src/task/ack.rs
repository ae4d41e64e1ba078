//! Acknowledgement: the immediate reply to a call.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{TaskStatus, ToolQuestion};
use crate::{
    id::{TaskId, TaskNo},
    tool::Arguments,
    wording::ACKNOWLEDGEMENT,
};

/// Acknowledgement of a call that runs in the background, for the model.
///
/// It has no result, and says so: given a bare "accepted", small models invent a result.
///
/// ```
/// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tools};
/// # use async_tool_runtime::task::{TaskAck, TaskNo, TaskSpec};
/// # use serde_json::json;
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 {
/// #     a + b
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// let call = ToolCall::new("call_1", "add", json!({"a": 2, "b": 3}));
/// let task = manager.submit_task(TaskSpec::new(SessionId::new("s"), call).with_number(TaskNo::new(1)))?;
///
/// let ack = task.ack();
/// assert_eq!((&*ack.tool, ack.number), ("add", Some(TaskNo::new(1))));
/// let answer = ack.to_model_json(); // for the provider, as the answer to `call_1`
/// assert_eq!(answer["instruction"], TaskAck::INSTRUCTION);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskAck {
    /// The task.
    pub task: TaskId,
    /// Number of the task in the session, if it has one.
    pub number: Option<TaskNo>,
    /// Name of the tool.
    pub tool: Arc<str>,
    /// The arguments as the model sent them.
    pub arguments: Arguments,
    /// Status at the time of the acknowledgement.
    pub status: TaskStatus,
    /// Question that the task, or one below it, waits for; the status is [`TaskStatus::InputRequired`] then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<ToolQuestion>,
    /// True if a later acknowledgement of the same turn has the instruction. This one has none then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub brief: bool,
    /// Instruction that the agent sets; `None`: [`INSTRUCTION`](Self::INSTRUCTION).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<Arc<str>>,
}

impl TaskAck {
    /// Instruction to the model in an acknowledgement, unless the task waits for people: [`ACKNOWLEDGEMENT`].
    pub const INSTRUCTION: &'static str = ACKNOWLEDGEMENT;

    /// Creates an acknowledgement.
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
            question: None,
            brief: false,
            instruction: None,
        }
    }

    /// Acknowledgement of a task that waits for an answer or for consent.
    ///
    /// ```
    /// use async_tool_runtime::{task::{TaskAck, TaskId, TaskStatus, ToolQuestion}, tool::InputRequest};
    /// use serde_json::json;
    ///
    /// let request = InputRequest::Approval { arguments: json!({"path": "a.txt"}).into() };
    /// let ack = TaskAck::new(TaskId::new(), None, "delete", json!({"path": "a.txt"}).into(), TaskStatus::Queued)
    ///     .with_question(ToolQuestion::new("delete", request));
    /// let answer = ack.to_model_json();
    /// assert_eq!(answer["status"], "input_required");
    /// assert_eq!(answer["asks"]["consent_to"], "delete");
    /// assert!(answer["instruction"].as_str().unwrap().contains("the user's consent"));
    /// ```
    #[must_use]
    pub fn with_question(mut self, question: ToolQuestion) -> Self {
        self.status = TaskStatus::InputRequired;
        self.question = Some(question);
        self
    }

    /// The acknowledgement as the model reads it.
    ///
    /// A JSON object with `task`, `status`, and `instruction` unless it is [brief](Self::brief). `task` is the task's number, or its id if it
    /// has no number. It doesn't repeat the call, because small models take that for a reason to make it again. If the task waits for
    /// people, `asks` has the question, and the instruction is to tell the user.
    ///
    /// ```
    /// use async_tool_runtime::task::{TaskAck, TaskId, TaskNo, TaskStatus};
    /// use serde_json::json;
    ///
    /// let arguments = json!({"query": "rust"});
    /// let ack = TaskAck::new(TaskId::new(), Some(TaskNo::new(3)), "search", arguments.into(), TaskStatus::Queued);
    /// let answer = ack.to_model_json();
    /// assert_eq!(answer, json!({"task": "t3", "status": "queued", "instruction": TaskAck::INSTRUCTION}));
    /// ```
    #[must_use]
    pub fn to_model_json(&self) -> Value {
        let task = self
            .number
            .map_or_else(|| self.task.to_string(), |number| number.to_string());
        let mut ack = json!({"task": task, "status": self.status});
        if let Some(instruction) = self.shown_instruction() {
            ack["instruction"] = json!(instruction);
        }
        if let Some(question) = &self.question {
            ack["asks"] = question.to_model_json();
        }
        ack
    }

    /// Instruction that the model reads here.
    pub(crate) fn shown_instruction(&self) -> Option<&str> {
        match &self.question {
            Some(question) => Some(question.instruction()),
            None if self.brief => None,
            None => Some(self.instruction.as_deref().unwrap_or(ACKNOWLEDGEMENT)),
        }
    }
}
