//! What a tool knows of the task it carries out.

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{CancellationToken, IdempotencyKey, Progress, StateMap};
use crate::{CallId, SessionId, TaskId, TaskNo};

/// What a tool knows of the task it carries out: `#[inject] cx: ToolContext`.
///
/// Cheap to clone.
#[derive(Clone)]
pub struct ToolContext(Arc<TaskContext>);

/// The parts of a context, filled in by whoever runs the task.
pub(crate) struct TaskContext {
    pub(crate) task: TaskId,
    pub(crate) number: Option<TaskNo>,
    pub(crate) session: SessionId,
    pub(crate) call: CallId,
    pub(crate) attempt: u32,
    pub(crate) cancellation: CancellationToken,
    pub(crate) deadline: Option<Instant>,
    pub(crate) progress: Progress,
    pub(crate) states: Arc<StateMap>,
}

impl ToolContext {
    pub(crate) fn new(parts: TaskContext) -> Self {
        Self(Arc::new(parts))
    }

    /// The task that is being carried out.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.0.task
    }

    /// The number of the task in its session, where it has one.
    #[must_use]
    pub fn number(&self) -> Option<TaskNo> {
        self.0.number
    }

    /// The conversation that asked.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.0.session
    }

    /// The provider's name for the call.
    #[must_use]
    pub fn call(&self) -> &CallId {
        &self.0.call
    }

    /// Which attempt this is; the first is 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// A key that is the same on every attempt of this task, and for no other task.
    #[must_use]
    pub fn idempotency_key(&self) -> IdempotencyKey {
        IdempotencyKey::new(self.0.task)
    }

    /// The signal to stop.
    #[must_use]
    pub fn cancellation(&self) -> &CancellationToken {
        &self.0.cancellation
    }

    /// Whether the task has been told to stop. Blocking tools ask this between steps.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancellation.is_cancelled()
    }

    /// When the task times out, if it does.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// How long the task has until it times out, if it does.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.0
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Says how far the task has come.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.0.progress
    }

    /// The host's value of type `T`, if one is registered.
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.states.find()
    }
}

impl fmt::Debug for ToolContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolContext")
            .field("task", &self.0.task)
            .field("session", &self.0.session)
            .field("attempt", &self.0.attempt)
            .finish_non_exhaustive()
    }
}
