//! Errors of calls that agents carry out.

use std::error::Error;

use crate::{
    agent::{AgentError, RunError},
    model::without_keys,
    tool::{ToolError, ToolErrorKind},
};

/// Reason of an outcome that stays unknown because the agent was stopped.
pub(super) const CUT_SHORT: &str = "the agent was stopped before it had finished, and the process ended before it could tell; find out what was done \
                                    before you call the tool again";

/// Error of an agent that came to rest without having finished.
pub(super) fn gave_up(error: RunError) -> ToolError {
    match error {
        RunError::Model(error) => {
            let kind = if error.retryable() {
                ToolErrorKind::Unavailable
            } else {
                ToolErrorKind::Failed
            };
            let told = ToolError::new(kind, format!("the agent's model failed: {error}"))
                .with_model_message("the agent could not finish: its model failed")
                .with_retryable(error.retryable());
            match error.retry_after() {
                Some(after) => told.with_retry_after(after),
                None => told,
            }
        }
        RunError::Limit(limit) => ToolError::failed(limit.to_string())
            .with_model_message(format!("the agent could not finish: {limit}"))
            .with_retryable(false),
        error @ RunError::Circle(_) => ToolError::new(ToolErrorKind::Duplicate, error.to_string()),
        error @ (RunError::Stopped(_) | RunError::Content(_)) => untold(&error),
    }
}

/// Error of an agent whose session has ended under it.
pub(super) fn ended(error: AgentError) -> ToolError {
    match error {
        AgentError::Stopped(_) | AgentError::Closed => untold(&error),
        error => broken(error),
    }
}

/// Error of an agent that ended with an empty turn.
pub(super) fn without_an_answer() -> ToolError {
    ToolError::failed("the agent ended without an answer")
}

/// Error of an agent that the host interrupted.
pub(super) fn interrupted() -> ToolError {
    ToolError::failed("the agent was stopped by its host before it had finished")
}

/// Error of a call whose agent can't go on here and may have had effects.
pub(super) fn untold(problem: &dyn Error) -> ToolError {
    let problem = problem.to_string();
    let error = without_keys(&problem);
    tracing::warn!(target: "async_tool::agent", error = &*error, "a sub-agent could not go on");
    unknown(
        "the agent had to stop before it had finished: its session could not be written, or was taken by another process; find out \
         what was done before you call the tool again",
    )
}

/// Error that leaves the outcome of its call unknown.
pub(super) fn unknown(why: &str) -> ToolError {
    ToolError::new(ToolErrorKind::Unknown, why)
}

pub(super) fn left() -> ToolError {
    ToolError::new(ToolErrorKind::Cancelled, "the session was left to another process")
}

pub(super) fn stopped() -> ToolError {
    ToolError::new(ToolErrorKind::Cancelled, "the agent was told to stop")
}

pub(super) fn broken(problem: impl Into<Box<dyn Error + Send + Sync>>) -> ToolError {
    ToolError::from_error(problem)
        .with_kind(ToolErrorKind::Internal)
        .with_model_message("the agent could not be run; it is not set up correctly")
}
