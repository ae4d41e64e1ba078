//! The tools of the server.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_tool_runtime::{
    AsyncToolManager, ToolContext, ToolError, async_tool,
    content::{Content, Media},
    tool::{Progress, State},
    tools,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tokio::time::sleep;

/// Number of events in all processes of the server, by their names.
#[derive(Clone, Default)]
pub(super) struct Counts(Arc<Mutex<HashMap<String, usize>>>);

impl Counts {
    fn add(&self, name: &str) {
        *self.0.lock().unwrap().entry(name.to_owned()).or_default() += 1;
    }

    pub(super) fn of(&self, name: &str) -> usize {
        self.0.lock().unwrap().get(name).copied().unwrap_or_default()
    }
}

/// Counts a function that is dropped before its end.
struct Stopped(Option<(Counts, &'static str)>);

impl Drop for Stopped {
    fn drop(&mut self) {
        if let Some((counts, name)) = &self.0 {
            counts.add(name);
        }
    }
}

pub(super) fn manager(counts: &Counts) -> AsyncToolManager {
    AsyncToolManager::builder()
        .tools(tools![
            slow, order, plain, buy, must, fails, panics, survey, photo, asks, asks_twice, pays, long
        ])
        .state(counts.clone())
        .build()
        .unwrap()
}

/// Reads slowly, as a task.
#[async_tool(effect = "read")]
async fn slow(ms: u64, #[inject] progress: Progress, #[inject] counts: State<Counts>) -> String {
    counts.add("slow");
    progress.message("half way");
    let mut stopped = Stopped(Some((Counts::clone(&counts), "slow stopped")));
    sleep(Duration::from_millis(ms)).await;
    stopped.0 = None;
    counts.add("slow done");
    format!("slow {ms}")
}

/// Orders once, as a task.
#[async_tool]
async fn order(ms: u64, #[inject] counts: State<Counts>) -> String {
    counts.add("order");
    sleep(Duration::from_millis(ms)).await;
    counts.add("order done");
    "ordered".to_owned()
}

/// Reads slowly, in an ordinary call.
#[async_tool(effect = "read", mcp = "never")]
async fn plain(ms: u64, #[inject] progress: Progress, #[inject] counts: State<Counts>) -> String {
    counts.add("plain");
    progress.message("half way");
    let mut stopped = Stopped(Some((Counts::clone(&counts), "plain stopped")));
    sleep(Duration::from_millis(ms)).await;
    stopped.0 = None;
    format!("plain {ms}")
}

/// Buys once, in an ordinary call.
#[async_tool(mcp = "never")]
async fn buy(ms: u64, #[inject] counts: State<Counts>) -> String {
    counts.add("buy");
    sleep(Duration::from_millis(ms)).await;
    "bought".to_owned()
}

/// Runs as a task only.
#[async_tool(effect = "read", mcp = "required")]
async fn must() -> String {
    "as a task".to_owned()
}

/// Fails.
#[async_tool(effect = "read")]
async fn fails() -> Result<String, String> {
    Err("no such file".to_owned())
}

/// Panics.
#[async_tool(effect = "read")]
async fn panics() -> String {
    sleep(Duration::from_millis(5)).await;
    panic!("out of bounds")
}

#[derive(Serialize, JsonSchema)]
struct Survey {
    people: u32,
    happy: f64,
}

/// Returns a structure.
#[async_tool(effect = "read")]
async fn survey() -> Survey {
    Survey { people: 7, happy: 0.5 }
}

/// Returns a text with an image in it.
#[async_tool(effect = "read")]
async fn photo() -> Content {
    Content::from("the harbour: ")
        .with(Media::bytes("image/png", vec![7_u8; 20_000]))
        .with(" at noon")
}

/// Asks for a size.
#[async_tool]
async fn asks(#[inject] cx: ToolContext) -> Result<String, ToolError> {
    let form =
        json!({"title": "Size", "type": "object", "properties": {"size": {"type": "string"}}, "required": ["size"]});
    let answer = cx.request_input("Which size?", form).await?;
    Ok(format!("size {}", answer["size"].as_str().unwrap_or_default()))
}

/// Asks twice.
#[async_tool]
async fn asks_twice(#[inject] cx: ToolContext) -> Result<String, ToolError> {
    let first: String = cx.request("First?").await?;
    let second: String = cx.request("Second?").await?;
    Ok(format!("{first} and {second}"))
}

/// Pays, if it is allowed.
#[async_tool(approval = "always")]
async fn pays(amount: u32) -> String {
    format!("paid {amount}")
}

/// Takes long, and can be handed off.
#[async_tool(effect = "read", hand_off(after = "100ms"))]
async fn long(ms: u64, #[inject] counts: State<Counts>) -> String {
    counts.add("long");
    sleep(Duration::from_millis(ms)).await;
    "long".to_owned()
}
