//! Completion of a task by a message.

use std::{error::Error, fmt};

use async_tool_runtime::{AsyncToolManager, ToolError, manager::ResolveError};
use serde_json::Value;

use crate::Completion;

/// Effect of a completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The task has ended by it.
    First,
    /// The task had ended before: the message came twice, or after the deadline.
    Before,
}

/// Completes the task of a message. When this returns `Ok`, the journal has the end of the task, so the message may be deleted.
///
/// # Errors
///
/// [`Unsettled`] if the message must come again: this process doesn't have the task, or its journal failed.
///
/// # Cancel safety
///
/// If the future is dropped, the task may have been completed. Settle the same message again.
pub async fn settle(manager: &AsyncToolManager, completion: &Completion) -> Result<Settled, Unsettled> {
    let ended = match &completion.end {
        Ok(value) => match manager.resolve_durably(completion.task, value).await {
            // The function has spoken, and would say the same again.
            Err(ResolveError::Invalid(problem)) => fail(manager, completion, &problem).await,
            resolved => resolved,
        },
        Err(why) => fail(manager, completion, why).await,
    };
    match ended {
        Ok(()) => Ok(Settled::First),
        Err(ResolveError::AlreadySettled(_)) => Ok(Settled::Before),
        Err(error) => Err(Unsettled(error)),
    }
}

async fn fail(manager: &AsyncToolManager, completion: &Completion, why: &str) -> Result<(), ResolveError> {
    let task = completion.task;
    let first = manager.resolve_error(task, ToolError::failed(why));
    if !matches!(first, Ok(()) | Err(ResolveError::AlreadySettled(_))) {
        return first;
    }
    if let Some(handle) = manager.task(task) {
        handle.outcome().await;
    }
    // Changes nothing, because the task has ended; but it returns only when the journal has that end.
    match manager.resolve_durably(task, Value::Null).await {
        Ok(()) | Err(ResolveError::AlreadySettled(_)) => first,
        Err(error) => Err(error),
    }
}

/// A message that must come again, with the reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Unsettled(ResolveError);

impl Unsettled {
    /// The reason.
    #[must_use]
    pub fn reason(&self) -> &ResolveError {
        &self.0
    }
}

impl fmt::Display for Unsettled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the message stays in the queue: {}", self.0)
    }
}

impl Error for Unsettled {}
