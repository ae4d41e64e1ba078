//! Log lines of a session.

use std::{fmt, time::Duration};

use tracing::field::display;

use super::spans::TurnSpans;
use crate::{
    agent::{AgentEvent, AgentEventKind, RunLimit},
    journal::Withdrawal,
    manager::{AsyncToolManager, log_end},
    model::words_of,
    session::SessionId,
    task::TurnNo,
};

/// Logs an event, inside of the span of its turn. Texts of users, models and tools are not in the log.
pub(super) fn log(spans: &TurnSpans, session: &SessionId, manager: &AsyncToolManager, event: &AgentEvent) {
    spans.inside(turn_of(&event.kind), || write(session, manager, event));
}

const fn turn_of(kind: &AgentEventKind) -> Option<TurnNo> {
    match kind {
        AgentEventKind::TurnStarted { turn, .. }
        | AgentEventKind::TurnEnded { turn, .. }
        | AgentEventKind::ModelFailed { turn, .. }
        | AgentEventKind::TurnInterrupted { turn, .. }
        | AgentEventKind::TurnWithdrawn { turn, .. }
        | AgentEventKind::Called { turn, .. }
        | AgentEventKind::Corrected { turn, .. } => Some(*turn),
        _ => None,
    }
}

fn write(session: &SessionId, manager: &AsyncToolManager, event: &AgentEvent) {
    match &event.kind {
        AgentEventKind::TurnStarted { turn, .. } => {
            tracing::debug!(target: "async_tool::agent", %session, "{turn} started");
        }
        AgentEventKind::TurnEnded { turn, usage, .. } => {
            let (input, output) = (usage.input, usage.output);
            tracing::debug!(target: "async_tool::agent", input, output, %session, "{turn} ended");
        }
        AgentEventKind::ModelFailed { turn, error, retry_at } => {
            let kind = display(error.kind());
            let next = match retry_at {
                Some(at) => Next::In(at.since(event.at)),
                None if error.retryable() => Next::Exhausted,
                None => Next::Never,
            };
            let error = words_of(error);
            tracing::warn!(target: "async_tool::agent", kind, error, %session, "{turn} failed, {next}");
        }
        AgentEventKind::TurnInterrupted { turn, cause, .. } => {
            tracing::debug!(target: "async_tool::agent", by = %cause, %session, "{turn} was interrupted");
        }
        AgentEventKind::Halted => tracing::debug!(target: "async_tool::agent", %session, "halted by the host"),
        AgentEventKind::TurnWithdrawn { turn, cause } => {
            let cause = match cause {
                Withdrawal::Result => "a result",
                Withdrawal::UserMessage => "a user message",
            };
            tracing::debug!(target: "async_tool::agent", %session, "{turn} was broken off for {cause}, before the model said anything");
        }
        // Without the tool's name, which a model may have made up: the span of the call has the names of real tools.
        AgentEventKind::Called { number, task, .. } => {
            tracing::debug!(target: "async_tool::agent", %task, %session, "{number} called");
        }
        AgentEventKind::CallRefused { .. } => {
            tracing::debug!(target: "async_tool::agent", %session, "a second call with the id of another one was refused");
        }
        AgentEventKind::Acknowledged { number } => {
            tracing::debug!(target: "async_tool::agent", %session, "{number} acknowledged");
        }
        AgentEventKind::InputRequired {
            number,
            asking,
            request,
        } => {
            let what = if request.is_some() {
                "asks the host"
            } else {
                "asks no longer"
            };
            tracing::debug!(target: "async_tool::agent", %asking, %session, "{number} {what}");
        }
        AgentEventKind::CancelRequested { number, .. } => {
            tracing::debug!(target: "async_tool::agent", %session, "{number} was told to stop");
        }
        AgentEventKind::Delivered { tasks } => {
            tracing::debug!(target: "async_tool::agent", count = tasks.len(), %session, "results delivered");
        }
        AgentEventKind::Dropped { tasks, .. } => {
            tracing::debug!(target: "async_tool::agent", count = tasks.len(), %session, "results dropped");
        }
        AgentEventKind::Corrected { turn, cuts } => {
            tracing::debug!(target: "async_tool::agent", cuts, %session, "{turn} made up results, which were cut out");
        }
        // The manager logs the tasks that it has taken. The others end here: refused, or lost with their process.
        AgentEventKind::Settled { result, .. }
            if result.timing.started.is_none() && manager.task(result.task).is_none() =>
        {
            log_end(result);
        }
        AgentEventKind::LimitReached {
            limit: RunLimit::Repetition,
        } => {
            tracing::warn!(target: "async_tool::agent", %session, "the model only repeats calls: it is asked again when there is something new, if the limits of the run allow it");
        }
        AgentEventKind::LimitReached { limit } => {
            tracing::warn!(target: "async_tool::agent", %limit, %session, "the model is not asked before the next message: a limit of the run is reached");
        }
        AgentEventKind::Closed => tracing::info!(target: "async_tool::agent", %session, "session closed"),
        AgentEventKind::Left => {
            tracing::info!(target: "async_tool::agent", %session, "session left, it stays open in its journal");
        }
        _ => {}
    }
}

/// Next try of a failed turn.
enum Next {
    In(Duration),
    Exhausted,
    Never,
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(Duration::ZERO) => f.write_str("next try at once"),
            Self::In(pause) => write!(f, "next try in {pause:?}"),
            Self::Exhausted => f.write_str("retries exhausted"),
            Self::Never => f.write_str("no further try"),
        }
    }
}
