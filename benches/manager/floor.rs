//! The least work of any runner of background tools: parse, span, spawn, channel.

use serde::Deserialize;
use tokio::sync::oneshot;
use tracing::Instrument as _;

/// Arguments of the tool, in the shape that the macro generates for `fn(topic: String, sources: u32)`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    pub(crate) topic: String,
    pub(crate) sources: u32,
}

/// Parses the arguments, spawns a task in a span, logs its end, and returns the channel of its outcome.
pub(crate) fn floor(arguments: &str) -> oneshot::Receiver<usize> {
    floor_after(arguments, std::future::ready(()))
}

/// Like [`floor()`], with a task that first waits for `wait`.
pub(crate) fn floor_after(
    arguments: &str,
    wait: impl Future<Output = ()> + Send + 'static,
) -> oneshot::Receiver<usize> {
    let arguments: Arguments = serde_json::from_str(arguments).expect("the benches' arguments fit the struct above");
    let (sender, receiver) = oneshot::channel();
    let task = async move {
        wait.await;
        tracing::info!(session = "bench", "no_op completed 0ms");
        // The receiver is gone only if the bench itself has failed.
        let _ = sender.send(no_op(&arguments));
    };
    tokio::spawn(task.instrument(span()));
    receiver
}

/// Span with the same fields as that of a task. It and the line at the end make a subscriber format as much for the floor as for the
/// manager.
fn span() -> tracing::Span {
    tracing::info_span!(
        "execute_tool",
        "otel.name" = "execute_tool no_op",
        "gen_ai.operation.name" = "execute_tool",
        "gen_ai.tool.name" = "no_op",
        "gen_ai.tool.call.id" = "call_1",
        "gen_ai.conversation.id" = "bench",
        "gen_ai.tool.type" = "function",
        "gen_ai.tool.call.arguments" = tracing::field::Empty,
        "gen_ai.tool.call.result" = tracing::field::Empty,
        "error.type" = tracing::field::Empty,
        "otel.status_code" = tracing::field::Empty,
        task = "019ad1f2-6f3e-7b1c-9f43-0123456789ab",
    )
}

/// Uses both arguments, so that the compiler can't optimize the parsing of one away.
pub(crate) fn no_op(Arguments { topic, sources }: &Arguments) -> usize {
    topic.len() + *sources as usize
}
