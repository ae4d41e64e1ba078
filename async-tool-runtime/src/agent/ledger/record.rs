//! One task, as far as its session knows it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

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
    pub(crate) call: ToolCall,
    pub(crate) awaits: Vec<Awaited>,
    /// The tasks whose arguments need its result.
    pub(crate) awaited_by: Vec<TaskNo>,
    /// A call of the `task` tool, which the agent answers itself.
    pub(crate) own: bool,
    /// Number of submissions so far.
    pub(crate) attempt: u32,
    pub(crate) accepted: Timestamp,
    /// Time at which its call was answered.
    pub(crate) answered: Option<Timestamp>,
    pub(crate) told: Told,
    pub(crate) result: Option<Arc<AsyncTaskResult>>,
    pub(crate) cancel: Option<String>,
    pub(crate) waits: Waits,
    /// Delivery policy that the host set; `None`: that of the tool.
    pub(crate) delivery: Option<DeliveryPolicy>,
}

/// Wait of a task for something from outside that outlives the process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Waits {
    /// Nothing.
    #[default]
    Nothing,
    /// Completion from outside; its function has ended.
    Completion,
    /// People are asked.
    Answer(InputRequest),
}

/// Last message that the model has of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Told {
    /// Nothing yet.
    Nothing,
    /// Acknowledgement: the task goes on in the background.
    Ack,
    /// Its result: as the answer to its call, or in a delivery.
    Result,
    /// Nothing, ever.
    Dropped,
}

impl TaskRecord {
    /// True if the model has been promised a result that it hasn't been given.
    pub(crate) fn is_owed(&self) -> bool {
        matches!(self.told, Told::Nothing | Told::Ack)
    }
}
