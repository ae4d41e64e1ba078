//! The record of a task that has ended.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CallId, TaskId, TaskNo, TaskOutcome, TaskSpec, TaskStatus, Timing};
use crate::SessionId;

/// The record of a task that has ended: what was asked, how it ended, and when.
///
/// It stands on its own, because whoever reads it may be elsewhere by then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AsyncTaskResult {
    /// The task.
    pub task: TaskId,
    /// Its number in the session, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<TaskNo>,
    /// The conversation that asked: where the result goes.
    pub session: SessionId,
    /// The call that the task carries out.
    pub call: CallId,
    /// The name of the tool.
    pub tool: Arc<str>,
    /// The arguments as the model sent them.
    pub arguments: Arc<Value>,
    /// How it ended.
    pub outcome: TaskOutcome,
    /// When it was accepted, started and settled.
    pub timing: Timing,
    /// How many times the tool was started; 0 if it never ran.
    pub attempts: u32,
}

impl AsyncTaskResult {
    /// The record of a task that ended like this, for hosts that run tasks themselves.
    #[must_use]
    pub fn new(spec: &TaskSpec, outcome: TaskOutcome, timing: Timing, attempts: u32) -> Self {
        Self {
            task: spec.task,
            number: spec.number,
            session: spec.session.clone(),
            call: spec.call.id.clone(),
            tool: Arc::clone(&spec.call.name),
            arguments: Arc::clone(&spec.call.arguments),
            outcome,
            timing,
            attempts,
        }
    }

    /// The terminal status of the task.
    #[must_use]
    pub const fn status(&self) -> TaskStatus {
        self.outcome.status()
    }
}
