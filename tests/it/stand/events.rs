//! Watches what an agent does, and what its model is shown.

use async_tool_runtime::{AgentEventKind, Message, agent::AgentEventStream, model::ModelRequest};

/// Reads events up to the first that is the one.
pub(crate) async fn until(events: &mut AgentEventStream, is_it: impl Fn(&AgentEventKind) -> bool) {
    while let Some(event) = events.next().await {
        if is_it(&event.kind) {
            return;
        }
    }
    panic!("the agent is gone");
}

/// The tasks in the deliveries of a request, delivery by delivery.
pub(crate) fn delivered(request: &ModelRequest) -> Vec<Vec<String>> {
    let tasks = request.messages.iter().filter_map(|message| match &**message {
        Message::Delivery { tasks, .. } => Some(tasks.iter().map(ToString::to_string).collect()),
        _ => None,
    });
    tasks.collect()
}
