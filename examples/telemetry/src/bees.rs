//! A conversation about bees: a slow tool with child tasks, one of which needs a second attempt.

use std::time::Duration;

use async_tool_runtime::{
    Model, ToolCall, ToolContext, ToolError, ToolErrorKind, async_tool,
    model::{self, ModelEvent, ModelRequest, ModelStream, StopReason, TurnEnd, Usage},
    tool::State,
};
use serde_json::json;

/// Duration of a report, which another process may have to take over.
#[derive(Clone, Copy)]
pub(crate) struct Pace(pub(crate) Duration);

/// Reads a page of a book. The shelf is high, so the first attempt fails.
#[async_tool(effect = "read", grace = "0s", retry(attempts = 3, backoff = "50ms..1s"))]
pub(crate) async fn fetch(page: String, #[inject] cx: ToolContext) -> Result<String, ToolError> {
    tokio::time::sleep(Duration::from_millis(80)).await;
    if cx.attempt() == 1 && page == "honey" {
        return Err(ToolError::new(ToolErrorKind::Unavailable, "the ladder is elsewhere"));
    }
    Ok(format!("all about {page}"))
}

/// Writes a report on a topic.
#[async_tool(effect = "read", grace = "0s")]
pub(crate) async fn report(
    topic: String,
    #[inject] pace: State<Pace>,
    #[inject] cx: ToolContext,
) -> anyhow::Result<String> {
    let page = |page: &str| {
        let arguments = json!({"page": page});
        let cx = cx.clone();
        async move { cx.call_tool::<String>("fetch", arguments).await }
    };
    let (topic, hives, ()) = tokio::join!(page(&topic), page("hives"), tokio::time::sleep(pace.0));
    Ok(format!("{}; {}", topic?, hives?))
}

/// Orders a thing. The shop delivers it at some time.
#[async_tool(grace = "0s")]
pub(crate) async fn order(thing: String, #[inject] cx: ToolContext) -> String {
    println!("the shop has the order for {thing}");
    cx.defer().await
}

/// A model that calls `tool` for the user, and then says what it was told.
pub(crate) fn model(tool: &'static str, argument: &'static str) -> impl Model {
    let model = model::from_fn(move |request: ModelRequest| async move {
        tokio::time::sleep(Duration::from_millis(60)).await;
        let said = request.messages.len();
        let usage = Usage::new(200 + 40 * said as u64, 120, 18);
        let end = |stop| ModelEvent::Done(TurnEnd::new(stop).with_usage(usage));
        Ok(match said {
            1 => {
                let call = ToolCall::new("call_1", tool, json!({argument: "honey"}));
                ModelStream::from_events([ModelEvent::ToolCall(call), end(StopReason::ToolCalls)])
            }
            2..=3 => ModelStream::from_events([ModelEvent::Text("I look it up.".into()), end(StopReason::EndTurn)]),
            _ => ModelStream::from_events([ModelEvent::Text("Here it is.".into()), end(StopReason::EndTurn)]),
        })
    });
    model.with_name("example", "bee-1")
}
