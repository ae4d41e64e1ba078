//! Tasks that survive the process.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{Tool, ToolContext, ToolError, async_tool, journal::MemoryJournal, tools};
use serde_json::json;
use tokio::time::sleep;

use super::{
    process::Process,
    stand::{with_forms, with_tasks},
};

/// Reads for a while.
#[async_tool(effect = "read")]
async fn reads(page: u32) -> String {
    sleep(Duration::from_secs(5)).await;
    format!("page {page}")
}

/// Orders, once.
#[async_tool]
async fn orders() -> String {
    sleep(Duration::from_secs(5)).await;
    "ordered".to_owned()
}

/// Asks.
#[async_tool]
async fn asks(#[inject] cx: ToolContext) -> Result<String, ToolError> {
    cx.request("Which?").await
}

/// Asks, and may run again.
#[async_tool(effect = "read")]
async fn asks_again(#[inject] cx: ToolContext) -> Result<String, ToolError> {
    cx.request("Which?").await
}

fn all() -> Vec<Arc<dyn Tool>> {
    tools![reads, orders, asks, asks_again]
}

/// Seconds by which the clocks of the first and of the next process are ahead.
const CLOCKS: [(u64, u64); 3] = [(0, 0), (0, 100), (3 * 3_600, 0)];

#[test]
fn a_finished_task_is_found_by_the_next_process() {
    for (first_ahead, next_ahead) in CLOCKS {
        let journal = Arc::new(MemoryJournal::new());
        let first = Process::start(&journal, all(), with_tasks(), first_ahead);
        let (id, before) = first.run(async {
            let id = first.client.start("reads", json!({"page": 7})).await;
            let task = first.client.until(&id, "completed").await;
            (id, task)
        });
        drop(first);
        let second = Process::start(&journal, all(), with_tasks(), next_ahead);
        let after = second.run(second.client.task(&id));
        assert_eq!(
            (&after["status"], &after["result"]),
            (&before["status"], &before["result"])
        );
        assert_eq!(after["result"]["content"][0]["text"], "page 7");
        let others = second.client.header("authorization", "Bearer bob");
        let reply = second.run(others.ask("tasks/get", json!({"taskId": id})));
        assert_eq!(reply.last["error"]["code"], -32602, "the principal survives too");
        let reply = second.run(async {
            sleep(Duration::from_secs(700)).await;
            second.client.ask("tasks/get", json!({"taskId": id})).await
        });
        assert_eq!(reply.last["error"]["code"], -32602, "and so does the retention");
    }
}

#[test]
fn a_running_task_goes_on_by_the_effect_of_its_tool() {
    for (first_ahead, next_ahead) in CLOCKS {
        let journal = Arc::new(MemoryJournal::new());
        let first = Process::start(&journal, all(), with_tasks(), first_ahead);
        let (reading, ordering) = first.run(async {
            let reading = first.client.start("reads", json!({"page": 7})).await;
            let ordering = first.client.start("orders", json!({})).await;
            sleep(Duration::from_secs(1)).await;
            (reading, ordering)
        });
        drop(first);
        let second = Process::start(&journal, all(), with_tasks(), next_ahead);
        second.run(async {
            let task = second.client.task(&reading).await;
            assert_eq!(task["status"], "working", "it answers at once: {task}");
            let task = second.client.until(&reading, "completed").await;
            assert_eq!(task["result"]["content"][0]["text"], "page 7");
            let task = second.client.until(&ordering, "failed").await;
            assert_eq!(task["error"]["code"], -32603);
            assert!(
                task["statusMessage"]
                    .as_str()
                    .unwrap()
                    .starts_with("interrupted by a restart"),
                "{task}"
            );
        });
    }
}

#[test]
fn a_task_that_asked_asks_again_or_fails() {
    for (first_ahead, next_ahead) in CLOCKS {
        let journal = Arc::new(MemoryJournal::new());
        let first = Process::start(&journal, all(), with_forms(), first_ahead);
        let (once, again) = first.run(async {
            let once = first.client.start("asks", json!({})).await;
            let again = first.client.start("asks_again", json!({})).await;
            first.client.until(&once, "input_required").await;
            first.client.until(&again, "input_required").await;
            sleep(Duration::from_secs(1)).await;
            (once, again)
        });
        drop(first);
        let second = Process::start(&journal, all(), with_forms(), next_ahead);
        second.run(async {
            let task = second.client.until(&once, "failed").await;
            assert!(
                task["statusMessage"]
                    .as_str()
                    .unwrap()
                    .contains("interrupted by a restart"),
                "{task}"
            );
            let task = second.client.until(&again, "input_required").await;
            let key = task["inputRequests"]
                .as_object()
                .unwrap()
                .keys()
                .next()
                .unwrap()
                .clone();
            second
                .client
                .update(
                    &again,
                    json!({key: {"action": "accept", "content": {"answer": "this"}}}),
                )
                .await;
            let task = second.client.until(&again, "completed").await;
            assert_eq!(task["result"]["content"][0]["text"], "this");
        });
    }
}

#[test]
fn a_cancelled_task_stays_cancelled() {
    for (first_ahead, next_ahead) in CLOCKS {
        let journal = Arc::new(MemoryJournal::new());
        let first = Process::start(&journal, all(), with_tasks(), first_ahead);
        let id = first.run(async {
            let id = first.client.start("orders", json!({})).await;
            first.client.ask("tasks/cancel", json!({"taskId": id})).await;
            first.client.until(&id, "cancelled").await;
            id
        });
        drop(first);
        let second = Process::start(&journal, all(), with_tasks(), next_ahead);
        assert_eq!(second.run(second.client.task(&id))["status"], "cancelled");
    }
}

#[test]
fn ids_of_other_sessions_are_unknown() {
    let journal = Arc::new(MemoryJournal::new());
    let process = Process::start(&journal, all(), with_tasks(), 0);
    for id in ["mcp-", "main", "", "mcp-../x"] {
        let reply = process.run(
            process
                .client
                .ask("tasks/update", json!({"taskId": id, "inputResponses": {}})),
        );
        assert!(reply.last.get("result").is_none(), "{id:?}: {}", reply.text);
    }
}
