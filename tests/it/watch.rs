//! Waits for what an agent does.

use async_tool_runtime::{AgentEventKind, AgentEventStream};

/// Reads events up to the first that is the one.
pub(crate) async fn until(events: &mut AgentEventStream, is_it: impl Fn(&AgentEventKind) -> bool) {
    while let Some(event) = events.next().await {
        if is_it(&event.kind) {
            return;
        }
    }
    panic!("the agent is gone");
}
