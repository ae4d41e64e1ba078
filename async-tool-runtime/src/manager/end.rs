//! Log line of a task's end.

use std::fmt;

use tracing::{Span, field::display};

use crate::{
    task::{AsyncTaskResult, TaskOutcome},
    tool::ToolErrorKind,
};

/// Logs the end of a task: a panic and the last of several attempts as a warning, everything else as information.
///
/// The line has no text of the tool, because errors and panics repeat arguments. Rust's panic hook writes the text of a panic to stderr.
pub(crate) fn log_end(result: &AsyncTaskResult) {
    let session = &result.session;
    // Without a number, only the id tells the task from others of the same tool.
    let task = result.number.is_none().then(|| display(result.task));
    match result.outcome.error() {
        Some(error) if error.kind() == ToolErrorKind::Panicked => {
            tracing::warn!(target: "async_tool::task", %session, task, "{}", End(result));
        }
        Some(error) if result.attempts > 1 && error.retryable() => {
            let attempts = result.attempts;
            tracing::warn!(target: "async_tool::task", attempts, %session, task, "{}, retries exhausted", End(result));
        }
        _ => tracing::info!(target: "async_tool::task", %session, task, "{}", End(result)),
    }
}

/// Records an outcome that is no value as an error of its span.
pub(crate) fn end_in(span: &Span, outcome: &TaskOutcome) {
    if let Some(error) = kind_of(outcome) {
        span.record("error.type", error.as_str());
        span.record("otel.status_code", "ERROR");
    }
}

/// Kind of the error of an outcome that is no value.
pub(crate) fn kind_of(outcome: &TaskOutcome) -> Option<ToolErrorKind> {
    match outcome {
        TaskOutcome::Completed(_) => None,
        TaskOutcome::Failed(error) => Some(error.kind()),
        TaskOutcome::Cancelled(_) => Some(ToolErrorKind::Cancelled),
        TaskOutcome::Unknown(_) => Some(ToolErrorKind::Unknown),
    }
}

/// `t3 research failed kind=timeout 300ms`.
struct End<'a>(&'a AsyncTaskResult);

impl fmt::Display for End<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = self.0;
        if let Some(number) = result.number {
            write!(f, "{number} ")?;
        }
        let kind = kind_of(&result.outcome);
        match kind {
            // The model made the name up.
            Some(ToolErrorKind::UnknownTool) => f.write_str("(unknown tool)")?,
            _ => f.write_str(&result.tool)?,
        }
        write!(f, " {}", result.status())?;
        if let Some(kind) = kind.filter(|kind| *kind != ToolErrorKind::Cancelled) {
            write!(f, " kind={kind}")?;
        }
        let elapsed = result.timing.elapsed();
        match elapsed.as_millis() {
            millis @ ..1_000 => write!(f, " {millis}ms"),
            _ => write!(f, " {elapsed:?}"),
        }
    }
}
