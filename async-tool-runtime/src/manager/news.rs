//! Messages to sessions about their tasks.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::{
    clock::Timestamp,
    id::TaskId,
    task::{AsyncTaskResult, TaskSnapshot},
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
    /// A task or one of its descendants began or stopped to wait for an answer. The id is that of the topmost ancestor.
    Asked(TaskId, Box<TaskSnapshot>),
    /// The function of a task left the task to be completed from outside, until this time if there is a limit.
    Deferred(TaskId, Option<Timestamp>),
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
