//! Tasks that wait for a slot.

use std::sync::Arc;

use tokio::{runtime::Handle, sync::oneshot};
use tracing::Span;

use super::{TaskCell, remote_engine::Remote};
use crate::tool::BoundCall;

/// A task that waits for a slot.
pub(super) enum Waiting {
    /// A task that has no future yet.
    Task(Task),
    /// A future that goes on when its channel is notified.
    Future(Arc<TaskCell>, oneshot::Sender<()>),
}

/// Work of a task, in this process or on a backend.
pub(super) enum Work {
    /// In this process.
    Here(BoundCall),
    /// On the manager's backend.
    Remote(Arc<Remote>),
}

/// An accepted task that has not been started.
pub(super) struct Task {
    pub(super) cell: Arc<TaskCell>,
    pub(super) work: Work,
    /// Runtime of the caller, which runs the task.
    pub(super) runtime: Handle,
    pub(super) span: Span,
}
