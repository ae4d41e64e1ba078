//! Engines elsewhere that run tasks.
//!
//! The manager runs tasks in its own process unless it is given a [`Backend`]: an engine that keeps tasks and has workers
//! of its own. On the agent's side a backend takes tasks and gives outcomes back; on the worker's side it drives an
//! [`Executor`](crate::manager::Executor), because engines call handlers and have no "claim" that we could make.
//!
//! # Invariants
//!
//! 1. A task travels as data ([`TaskSpec`]); the registry on the worker's side finds the function by its name. So the same
//!    tool runs everywhere.
//! 2. The task id is the idempotency key: submitting a task twice is the same as once, so a submit that may have failed is
//!    tried again without harm.
//! 3. Delivery to a worker is at least once, and the outcome is stored before the task is acknowledged to the engine.

use std::fmt;

use crate::{
    future::BoxFuture,
    id::TaskId,
    session::SessionId,
    task::{TaskOutcome, TaskSpec},
};

/// An engine that keeps tasks and runs them elsewhere: the agent's side of it.
pub trait Backend: Send + Sync + 'static {
    /// Hands over a task. When this returns `Ok`, the task MUST be durable. Submitting a task that is already there MUST
    /// do nothing.
    fn submit(&self, task: TaskSpec) -> BoxFuture<'_, Result<(), BackendError>>;

    /// Waits until the task has ended. MAY be called from any process, and more than once.
    fn outcome(&self, task: TaskId) -> BoxFuture<'_, Result<Settlement, BackendError>>;

    /// Tells a task to stop. It MUST still end in an outcome.
    fn cancel(&self, task: TaskId, mode: CancelMode) -> BoxFuture<'_, Result<(), BackendError>>;

    /// The tasks of the session that have not ended.
    fn open_tasks<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Vec<TaskId>, BackendError>>;

    /// Capabilities of the engine.
    fn capabilities(&self) -> BackendCapabilities;
}

// `dyn Backend` must stay possible: the manager holds one of any kind.
const _: fn(&dyn Backend) = |_| {};

/// End of a task on a backend.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Settlement {
    /// Its outcome.
    pub outcome: TaskOutcome,
    /// Starts of its function.
    pub attempts: u32,
}

impl Settlement {
    /// An outcome after this many attempts.
    #[must_use]
    pub const fn new(outcome: TaskOutcome, attempts: u32) -> Self {
        Self { outcome, attempts }
    }
}

/// Way to stop a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CancelMode {
    /// The tool sees its token fire and may tidy up.
    Cancel,
    /// The tool is dropped.
    Abort,
}

/// Capabilities of an engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackendCapabilities {
    /// True if tasks survive the process that submitted them.
    pub durable: bool,
}

impl BackendCapabilities {
    /// Sets whether tasks survive the process that submitted them.
    #[must_use]
    pub const fn with_durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }
}

/// A backend couldn't be reached, or refused.
#[derive(Debug)]
pub struct BackendError {
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl BackendError {
    /// An error with a message for operators.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BackendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
