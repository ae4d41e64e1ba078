//! State of a task in its session.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    clock::Timestamp,
    id::{TaskId, TaskNo},
    journal::Awaited,
    task::{AsyncTaskResult, TurnNo},
    tool::{DeliveryPolicy, InputRequest, ToolCall},
};

/// State of a task in its session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskRecord {
    pub(crate) task: TaskId,
    pub(crate) turn: TurnNo,
    /// `traceparent` of the message that led to the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) traceparent: Option<Arc<str>>,
    pub(crate) call: ToolCall,
    pub(crate) awaits: Vec<Awaited>,
    /// Tasks whose arguments need this task's result.
    pub(crate) awaited_by: Vec<TaskNo>,
    /// True for a call of the `task` tool, which the agent answers itself.
    pub(crate) own: bool,
    /// Task that the call repeats; the agent answers it itself.
    pub(crate) repeats: Option<TaskNo>,
    /// Kind and message of the error with which the agent answered the call itself.
    pub(crate) refusal: Option<String>,
    /// Number of attempts so far.
    pub(crate) attempt: u32,
    pub(crate) accepted: Timestamp,
    /// Time at which its call was answered.
    pub(crate) answered: Option<Timestamp>,
    pub(crate) told: Told,
    pub(crate) result: Option<Arc<AsyncTaskResult>>,
    pub(crate) cancel: Option<String>,
    pub(crate) waits: Waits,
    /// Latest checkpoint of its function. A task that has ended needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) checkpoint: Option<Arc<Value>>,
    /// Delivery policy that the host set; `None`: the tool's policy.
    pub(crate) delivery: Option<DeliveryPolicy>,
}

/// Wait of a task for something from outside that outlives the process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Waits {
    /// No wait.
    #[default]
    Nothing,
    /// Wait for completion from outside, until a deadline if there is one; the function has ended.
    Completion(Option<Timestamp>),
    /// Wait for an answer from people.
    Answer(InputRequest),
}

/// Last message about a task that the model got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Told {
    /// No message yet.
    Nothing,
    /// Acknowledgement: the task goes on in the background.
    Ack,
    /// Result: as the answer to its call, or in a delivery.
    Result,
    /// Dropped: the model never gets the result.
    Dropped,
}

impl TaskRecord {
    /// True if the call became a task. The agent answers all others itself.
    pub(crate) const fn is_task(&self) -> bool {
        !self.own && self.repeats.is_none()
    }

    /// True if the model has yet to get the result.
    pub(crate) fn is_owed(&self) -> bool {
        matches!(self.told, Told::Nothing | Told::Ack)
    }
}
