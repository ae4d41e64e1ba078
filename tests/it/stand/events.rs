//! Events of an agent.

use async_tool_runtime::{AgentEventKind, agent::AgentEventStream};

/// Reads events up to the first that `is_it` accepts.
pub(crate) async fn until(events: &mut AgentEventStream, is_it: impl Fn(&AgentEventKind) -> bool) {
    while let Some(event) = events.next().await {
        if is_it(&event.kind) {
            return;
        }
    }
    panic!("the events end before the expected one");
}

/// Reads events up to the end of the turn that said this.
pub(crate) async fn said(events: &mut AgentEventStream, what: &str) {
    until(
        events,
        |kind| matches!(kind, AgentEventKind::TurnEnded { text, .. } if text == what),
    )
    .await;
}
