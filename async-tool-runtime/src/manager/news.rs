//! Messages to sessions about their tasks.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::{
    id::TaskId,
    task::{AsyncTaskResult, TaskSnapshot},
    tool::ProgressReport,
};

/// Message to a session about one of its tasks.
#[derive(Debug)]
// Boxed where large: a channel has room for dozens of these from the beginning, in every session.
pub(crate) enum TaskNews {
    /// A task got a slot.
    Started(TaskId),
    /// A tool said how far it has come.
    Progressed(TaskId, Box<ProgressReport>),
    /// A task, or one below it, asks for something, or does no more. The task at the top comes first.
    Asked(TaskId, Box<TaskSnapshot>),
    /// The function of a task has left it to be completed from outside.
    Deferred(TaskId),
    /// A task of an earlier process was never started.
    NotStarted(TaskId),
    /// A task ended.
    Settled(Arc<AsyncTaskResult>),
    /// Asks for a reply once all news before this is written down.
    Barrier(oneshot::Sender<()>),
}
