//! Messages to sessions about their tasks.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::oneshot;

use crate::{
    clock::Timestamp,
    id::TaskId,
    task::{AsyncTaskResult, ToolQuestion, WaitsFor},
    tool::ProgressReport,
};

/// Message to a session about one of its tasks.
#[derive(Debug)]
// Boxed where large: every session has a channel, which reserves room for dozens of these from the start.
pub(crate) enum TaskNews {
    /// A task got a slot.
    Started(TaskId),
    /// A tool reported progress.
    Progressed(TaskId, Box<ProgressReport>),
    /// A task or one of its descendants began or stopped to wait for an answer.
    Asked(Box<Asked>),
    /// A task began or ended a wait.
    Waits(TaskId, Option<Box<WaitsFor>>),
    /// The function of a task left the task to be completed from outside, until this time if there is a limit.
    Deferred(TaskId, Option<Timestamp>),
    /// The function of a task saved a checkpoint.
    Checkpointed(TaskId, Arc<Value>),
    /// A task of an earlier process was never started.
    NotStarted(TaskId),
    /// A task ended.
    Settled(Arc<AsyncTaskResult>),
    /// A task ended because its runtime was shut down.
    CutShort(Arc<AsyncTaskResult>),
    /// Request for a reply once the session has written all earlier news down.
    Barrier(oneshot::Sender<()>),
    /// Request for a reply if the session is still its agent's. Without one, the sender is dropped.
    IsOwner(oneshot::Sender<()>),
}

/// Question of a task that was asked, or closed.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Topmost ancestor of the task that asks, or a task between.
    pub(crate) top: TaskId,
    pub(crate) asking: TaskId,
    /// The question; `None` once it is closed.
    pub(crate) question: Option<ToolQuestion>,
}
