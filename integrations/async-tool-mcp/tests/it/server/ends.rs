//! Ends of tasks, and their retention.

use std::time::Duration;

use async_tool_mcp::McpServer;
use async_tool_runtime::{SessionId, ToolError, ToolErrorKind, async_tool, tools};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::stand::{Http, manager, serve, with_tasks};

/// Panics.
#[async_tool(effect = "read")]
async fn panics() -> String {
    sleep(Duration::from_millis(50)).await;
    panic!("secret words of an operator")
}

/// Breaks.
#[async_tool(effect = "read")]
async fn breaks() -> Result<String, ToolError> {
    Err(ToolError::new(ToolErrorKind::Internal, "no database").with_model_message("the tool is not set up"))
}

/// Fails.
#[async_tool(effect = "read")]
async fn fails() -> Result<String, String> {
    Err("no such page".to_owned())
}

/// Takes two hours.
#[async_tool(effect = "read")]
async fn slow() -> &'static str {
    sleep(Duration::from_secs(7_200)).await;
    "done"
}

#[tokio::test(start_paused = true)]
async fn what_breaks_ends_as_failed_within_a_second() {
    let client = Http::new(serve(tools![panics, breaks]), with_tasks());
    for tool in ["panics", "breaks"] {
        let id = client.start(tool, json!({})).await;
        sleep(Duration::from_millis(900)).await;
        let task = client.task(&id).await;
        assert_eq!(
            (&task["status"], &task["error"]["code"]),
            (&json!("failed"), &json!(-32603)),
            "{task}"
        );
        assert!(!task["statusMessage"].as_str().unwrap().is_empty());
        assert!(
            task.get("result").is_none() && !task.to_string().contains("secret"),
            "{task}"
        );
    }
    let reply = client.with(json!({})).call("panics", json!({})).await;
    assert_eq!(
        reply.last["error"]["code"], -32603,
        "an ordinary call ends alike: {}",
        reply.text
    );
}

#[tokio::test(start_paused = true)]
async fn an_abort_of_the_program_ends_as_failed() {
    let manager = manager(tools![slow]);
    let client = Http::new(McpServer::new(manager.clone()), with_tasks());
    let id = client.start("slow", json!({})).await;
    assert_eq!(
        manager.cancel_session(&SessionId::new(id.clone()), "the disk is full"),
        1
    );
    sleep(Duration::from_millis(1_500)).await;
    let task = client.task(&id).await;
    assert_eq!(
        (&task["status"], &task["error"]["code"]),
        (&json!("failed"), &json!(-32603))
    );
    assert!(task["statusMessage"].as_str().unwrap().contains("the disk is full"));
}

#[test]
fn a_dropped_runtime_ends_its_tasks_as_failed() {
    let server = serve(tools![slow]);
    let client = Http::new(server, with_tasks());
    let build = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let first = build();
    let id = first.block_on(client.start("slow", json!({})));
    drop(first);
    let task = build().block_on(client.task(&id));
    assert_eq!(
        (&task["status"], &task["error"]["code"]),
        (&json!("failed"), &json!(-32603)),
        "{task}"
    );
    assert!(!task["statusMessage"].as_str().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_tool_completes_its_task() {
    let client = Http::new(serve(tools![fails]), with_tasks());
    let id = client.start("fails", json!({})).await;
    let task = client.until(&id, "completed").await;
    assert_eq!(task["result"]["isError"], true);
    assert_eq!(task["result"]["content"][0]["text"], "no such page");
    assert!(task.get("error").is_none());
}

#[tokio::test(start_paused = true)]
async fn retention_begins_at_the_end_and_stops_no_work() {
    let client = Http::new(serve(tools![slow]).retention(Duration::from_secs(60)), with_tasks());
    let id = client.start("slow", json!({})).await;
    let begun = Instant::now();
    sleep(Duration::from_secs(7_000)).await;
    let task = client.task(&id).await;
    assert_eq!((&task["status"], &task["ttlMs"]), (&json!("working"), &Value::Null));
    sleep(Duration::from_secs(259)).await;
    let task = client.task(&id).await;
    assert_eq!(task["status"], "completed", "59 s after its end");
    let ttl = Duration::from_millis(task["ttlMs"].as_u64().unwrap());
    assert_eq!(ttl.as_secs(), 7_260);
    assert!(begun + ttl > Instant::now());
    sleep(Duration::from_secs(2)).await;
    let expired = client.ask("tasks/get", json!({"taskId": id})).await.last;
    let never = client.ask("tasks/get", json!({"taskId": "mcp-0"})).await.last;
    assert_eq!(expired["error"]["code"], -32602);
    assert_eq!(expired, never);
}

#[tokio::test(start_paused = true)]
async fn a_call_can_have_a_retention_of_its_own() {
    let server = serve(tools![fails]).retention_of(|call| (&*call.name == "fails").then_some(Duration::from_secs(5)));
    let client = Http::new(server, with_tasks());
    let id = client.start("fails", json!({})).await;
    client.until(&id, "completed").await;
    sleep(Duration::from_secs(6)).await;
    let reply = client.ask("tasks/get", json!({"taskId": id})).await;
    assert_eq!(reply.last["error"]["code"], -32602);
}
