//! Tools that fail, ask, wait and break in all the ways that a client must cope with.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AsyncToolManager, ToolContext, ToolError, ToolErrorKind, async_tool,
    tool::{CancellationToken, Progress, State},
    tools,
};
use serde_json::{Value, json};
use tokio::time::sleep;

/// Number of calls of `slow_sync` that saw their cancellation.
#[derive(Clone, Default)]
pub(crate) struct Cancelled(Arc<AtomicU64>);

pub(crate) fn manager() -> Result<AsyncToolManager, Box<dyn std::error::Error>> {
    let manager = AsyncToolManager::builder()
        .tools(tools![
            greet,
            slow_compute,
            slow_sync,
            failing_job,
            protocol_error_job,
            confirm_delete,
            multi_input,
            ask_name,
            test_tool_with_task,
            run_away,
            probe,
            test_simple_text,
            test_error_handling,
            test_tool_with_progress,
        ])
        .state(Cancelled::default())
        .build()?;
    Ok(manager)
}

/// Greets by name.
#[async_tool(effect = "read", mcp = "never")]
fn greet(name: String) -> String {
    format!("Hello, {name}!")
}

/// Computes for some seconds, and says nothing meanwhile.
#[async_tool(effect = "read", mcp = "optional")]
async fn slow_compute(
    seconds: f64,
    #[arg(default = "x".to_owned())] label: String,
    /// Time that the result is to be kept.
    #[arg(rename = "ttlMs")]
    ttl_ms: Option<u64>,
) -> Result<String, String> {
    // The server reads it.
    let _ = ttl_ms;
    sleep(time(seconds)?).await;
    Ok(format!("slow_compute({label}) done"))
}

/// Works for some seconds, and reports progress five times a second.
#[async_tool(effect = "read", mcp = "never")]
async fn slow_sync(
    seconds: f64,
    #[inject] progress: Progress,
    #[inject] cancellation: CancellationToken,
    #[inject] cancelled: State<Cancelled>,
) -> Result<String, String> {
    let work = async {
        let pause = Duration::from_millis(200);
        let mut left = time(seconds)?;
        let mut step = 0;
        while !left.is_zero() {
            progress.message(format!("step {step}"));
            sleep(left.min(pause)).await;
            left = left.saturating_sub(pause);
            step += 1;
        }
        Ok(format!("slow_sync done after {seconds}s"))
    };
    tokio::select! {
        result = work => result,
        () = cancellation.cancelled() => {
            cancelled.0.fetch_add(1, Ordering::Relaxed);
            Err("slow_sync was cancelled".to_owned())
        }
    }
}

/// Fails after half a second.
#[async_tool(effect = "read", mcp = "required")]
async fn failing_job() -> Result<String, String> {
    sleep(Duration::from_millis(500)).await;
    Err("failing_job: tool error".to_owned())
}

/// Breaks with an error of the protocol.
#[async_tool(effect = "read", mcp = "optional")]
async fn protocol_error_job() -> Result<String, ToolError> {
    Err(ToolError::new(ToolErrorKind::Internal, "protocol_error_job").with_model_message("protocol_error_job"))
}

/// Deletes a file, after the user has confirmed it.
#[async_tool(mcp = "required")]
async fn confirm_delete(filename: String, #[inject] cx: ToolContext) -> Result<String, ToolError> {
    let form = json!({"type": "object", "properties": {"confirm": {"type": "boolean"}}, "required": ["confirm"]});
    let answer = cx.request_input(format!("Delete {filename}?"), form).await?;
    let done = if answer["confirm"] == true { "deleted" } else { "kept" };
    Ok(format!("confirm_delete({filename}): {done}"))
}

/// Asks two questions at once.
#[async_tool(mcp = "required")]
async fn multi_input(#[inject] cx: ToolContext) -> Result<String, ToolError> {
    let first = cx.submit_tool("ask_name", json!({"of": "the first person"}))?;
    let second = cx.submit_tool("ask_name", json!({"of": "the second person"}))?;
    let (first, second): (String, String) = (first.value().await?, second.value().await?);
    Ok(format!("multi_input: {first} and {second}"))
}

/// Asks for a name.
#[async_tool]
async fn ask_name(of: String, #[inject] cx: ToolContext) -> Result<String, ToolError> {
    let answer = cx.request_input(format!("Name of {of}?"), name_form("name")).await?;
    Ok(name_in(&answer))
}

/// Asks for the user's name, and greets in the background.
#[async_tool(mcp = "required")]
async fn test_tool_with_task(#[inject] cx: ToolContext) -> Result<String, ToolError> {
    let answer = cx.request_input("What is your name?", name_form("user_name")).await?;
    sleep(Duration::from_secs(1)).await;
    Ok(format!("Hello, {}! (async)", name_in(&answer)))
}

/// Panics.
#[async_tool(effect = "read", mcp = "optional")]
async fn run_away() -> String {
    sleep(Duration::from_millis(50)).await;
    panic!("run_away ran away")
}

/// Tells how many calls of `slow_sync` saw their cancellation.
#[async_tool(effect = "read", mcp = "never")]
fn probe(#[inject] cancelled: State<Cancelled>) -> String {
    json!({"cancelled": cancelled.0.load(Ordering::Relaxed)}).to_string()
}

/// Returns a text.
#[async_tool(effect = "read", mcp = "never")]
fn test_simple_text() -> &'static str {
    "This is a simple text response for testing."
}

/// Returns an error.
#[async_tool(effect = "read", mcp = "never")]
fn test_error_handling() -> Result<String, String> {
    Err("This tool intentionally returns an error for testing".to_owned())
}

/// Reports progress three times.
#[async_tool(effect = "read", mcp = "never")]
async fn test_tool_with_progress(#[inject] progress: Progress) -> &'static str {
    for (fraction, message) in [(0.0, "begun"), (0.5, "half"), (1.0, "done")] {
        progress.report(fraction, message);
        // The manager passes on ten reports a second.
        sleep(Duration::from_millis(110)).await;
    }
    "progress was reported"
}

/// A form with the field `name`. The title is the beginning of the question's key.
fn name_form(title: &str) -> Value {
    json!({"title": title, "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]})
}

fn name_in(answer: &Value) -> String {
    answer["name"].as_str().unwrap_or_default().to_owned()
}

fn time(seconds: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("{seconds} seconds can't be waited for"))
}
