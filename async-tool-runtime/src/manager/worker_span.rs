//! Span of a task on a worker.

use tracing::Span;

use super::Traces;
use crate::task::TaskSpec;

/// Begins the span of a run; with a propagator, below the span of the call in the agent's process.
pub(super) fn begin(traces: &Traces, task: &TaskSpec) -> Span {
    let begin = || {
        tracing::info_span!(
            target: "async_tool::span",
            "execute_tool.run",
            "otel.name" = %format_args!("execute_tool.run {}", task.call.name),
            "otel.kind" = "consumer",
            "gen_ai.tool.name" = &*task.call.name,
            "gen_ai.tool.call.id" = task.call.id.as_str(),
            "gen_ai.conversation.id" = task.session.as_str(),
            "error.type" = tracing::field::Empty,
            "otel.status_code" = tracing::field::Empty,
            task = %task.task,
        )
    };
    traces.within(task.traceparent.as_deref(), begin)
}
