//! Tasks in a journal: their media, their retention, and other processes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Journal as _, RulePlanner, SessionId, Tool, ToolContext, ToolError, async_tool,
    content::{Content, Media},
    journal::{Claim, Entry, Format, Seq, SessionFilter},
    task::Timestamp,
    tools,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    beside::Beside,
    process::{Process, RETENTION},
    stand::{with_forms, with_tasks},
};

static ORDERED: AtomicUsize = AtomicUsize::new(0);

/// Shows media of all kinds.
#[async_tool(effect = "read")]
async fn album() -> Content {
    Content::from("a large one: ")
        .with(Media::bytes("image/png", vec![7_u8; 50_000]))
        .with(" a small one: ")
        .with(Media::bytes("image/jpeg", vec![8_u8; 10]))
        .with(Media::bytes("audio/wav", vec![9_u8; 20_000]))
        .with(Media::bytes("application/pdf", vec![1_u8; 9_000]).with_name("the plan.pdf"))
        .with(Media::url("image/png", "https://example.com/a.png"))
}

/// Returns at once.
#[async_tool(effect = "read")]
async fn quick(page: u32) -> String {
    format!("page {page}")
}

/// Reads for a while.
#[async_tool(effect = "read")]
async fn reads() -> String {
    sleep(Duration::from_secs(5)).await;
    "read".to_owned()
}

/// Sells, once.
#[async_tool]
async fn sells() -> String {
    sleep(Duration::from_secs(5)).await;
    "sold".to_owned()
}

/// Orders, once. Of one test alone, which counts the orders.
#[async_tool]
async fn orders() -> String {
    ORDERED.fetch_add(1, Ordering::Relaxed);
    sleep(Duration::from_secs(5)).await;
    "ordered".to_owned()
}

/// Asks before it is a task.
#[async_tool(effect = "read")]
async fn asks_first(#[inject] cx: ToolContext) -> Result<String, ToolError> {
    let name: String = cx.request("Who?").await?;
    sleep(Duration::from_secs(5)).await;
    Ok(format!("hello {name}"))
}

fn all() -> Vec<Arc<dyn Tool>> {
    tools![album, quick, reads, sells, orders, asks_first]
}

fn start(journal: &Arc<Beside>) -> Process {
    Process::start(journal, all(), with_tasks(), 0)
}

#[test]
fn media_are_whole_after_a_restart() {
    let journal = Arc::new(Beside::default());
    let first = start(&journal);
    let (id, before) = first.run(async {
        let id = first.client.start("album", json!({})).await;
        let task = first.client.until(&id, "completed").await;
        (id, task)
    });
    drop(first);
    assert_eq!(
        journal.blobs.lock().unwrap().len(),
        3,
        "the large ones are beside the entries"
    );
    let blocks = before["result"]["content"].as_array().unwrap();
    let kinds: Vec<_> = blocks.iter().map(|block| block["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        ["text", "image", "text", "image", "audio", "resource", "resource_link"]
    );
    let next = start(&journal);
    assert_eq!(next.run(next.client.task(&id))["result"], before["result"]);
}

#[test]
fn media_that_the_journal_has_lost_are_said_to_be_lost() {
    let journal = Arc::new(Beside::default());
    let first = start(&journal);
    let id = first.run(async {
        let id = first.client.start("album", json!({})).await;
        first.client.until(&id, "completed").await;
        id
    });
    drop(first);
    journal.blobs.lock().unwrap().clear();
    let next = start(&journal);
    let task = next.run(next.client.task(&id));
    let blocks = task["result"]["content"].as_array().unwrap();
    let lost = blocks.iter().filter(|block| {
        block["text"]
            .as_str()
            .is_some_and(|text| text.contains("Its bytes are lost"))
    });
    assert_eq!(lost.count(), 3, "{task}");
    assert_eq!(blocks[3]["type"], "image", "the small one is in its entry: {task}");
    assert!(blocks[5]["text"].as_str().unwrap().contains("the plan.pdf"), "{task}");
}

#[test]
fn an_ended_task_leaves_the_journal_after_its_retention() {
    // The last clock is behind: the tasks end in its future.
    for (first_ahead, next_ahead) in [(0, 0), (0, 300), (3 * 3_600, 0)] {
        let journal = Arc::new(Beside::default());
        let first = Process::start(&journal, all(), with_tasks(), first_ahead);
        first.run(async {
            first.client.start("album", json!({})).await;
            sleep(RETENTION - Duration::from_secs(60)).await;
            assert_eq!(journal.count(SessionFilter::All), 1);
            sleep(Duration::from_secs(120)).await;
            assert_eq!(journal.count(SessionFilter::All), 0);
            assert!(journal.blobs.lock().unwrap().is_empty(), "its media are gone too");
            first.client.start("album", json!({})).await;
            sleep(Duration::from_secs(10)).await;
        });
        drop(first);
        assert_eq!(journal.count(SessionFilter::All), 1);
        let next = Process::start(&journal, all(), with_tasks(), next_ahead);
        next.run(async {
            sleep(Duration::from_secs(60)).await;
            assert_eq!(journal.count(SessionFilter::All), 1, "{first_ahead} {next_ahead}");
            sleep(RETENTION).await;
            assert_eq!(journal.count(SessionFilter::All), 0, "{first_ahead} {next_ahead}");
        });
    }
}

#[test]
fn a_running_task_is_not_removed_and_others_of_the_journal_neither() {
    let journal = Arc::new(Beside::default());
    let process = start(&journal);
    process.run(async {
        let manager = AsyncToolManager::builder().build().unwrap();
        for name in ["main", "mcp-notes"] {
            let builder = AsyncAgent::builder(RulePlanner::new(), manager.clone()).session(name);
            let agent = builder.journal(Arc::clone(&journal)).start().await.unwrap();
            agent.close().await.unwrap();
        }
        process.client.start("sells", json!({})).await;
        sleep(Duration::from_secs(1)).await;
    });
    drop(process);
    let next = start(&journal);
    next.run(async {
        sleep(Duration::from_secs(1)).await;
        assert!(journal.removed.lock().unwrap().is_empty());
        sleep(2 * RETENTION).await;
        assert_eq!(journal.removed.lock().unwrap().len(), 1, "the interrupted sale");
        assert_eq!(journal.count(SessionFilter::All), 2);
    });
}

#[test]
fn a_session_in_which_no_call_was_made_is_closed_and_removed() {
    let journal = Arc::new(Beside::default());
    let opened = Entry::Opened {
        format: Format::CURRENT,
        nonce: "0f9a2c46d1e84b7f".to_owned(),
        works_for: None,
        at: Timestamp::from_millis(1),
    };
    let session = SessionId::new("mcp-6b1c8f0e-9a3d-4c55-8a58-0d8a3a6f7c11");
    let process = Process::start(&journal, all(), with_tasks(), 0);
    process.run(async {
        journal
            .append(&session, &Claim::new(), Seq::START, &[opened])
            .await
            .unwrap()
    });
    drop(process);
    let next = start(&journal);
    next.run(async { sleep(Duration::from_secs(5)).await });
    assert_eq!(journal.count(SessionFilter::All), 0);
}

#[test]
fn many_ended_tasks_are_removed_a_few_at_a_time() {
    let journal = Arc::new(Beside::default());
    let first = start(&journal);
    first.run(async {
        for page in 0..200 {
            first.client.start("quick", json!({"page": page})).await;
        }
        sleep(Duration::from_secs(5)).await;
    });
    drop(first);
    let next = Process::start(&journal, all(), with_tasks(), 3_600);
    next.run(async {
        let begun = Instant::now();
        next.client.start("quick", json!({"page": 1})).await;
        assert!(
            begun.elapsed() < Duration::from_millis(250),
            "a new task waits for no removal"
        );
        sleep(Duration::from_secs(60)).await;
        let removed = journal.removed.lock().unwrap();
        assert_eq!(removed.len(), 200);
        for (index, (at, _)) in removed.iter().enumerate() {
            let within = removed[index..]
                .iter()
                .take_while(|(later, _)| *later - *at < Duration::from_millis(250));
            assert!(within.count() <= 32);
        }
    });
}

#[test]
fn a_task_of_a_process_that_lives_is_not_run_twice_and_its_end_is_found() {
    let journal = Arc::new(Beside::default());
    let first = start(&journal);
    let (before, quick) = first.run(async {
        let before = first.client.start("orders", json!({})).await;
        sleep(Duration::from_secs(1)).await;
        let quick = first.client.start("quick", json!({"page": 3})).await;
        first.client.until(&quick, "completed").await;
        (before, quick)
    });
    let second = start(&journal);
    assert_eq!(
        second.run(second.client.task(&quick))["result"]["content"][0]["text"],
        "page 3"
    );
    // One that began after the start of the second process.
    let after = first.run(async {
        let after = first.client.start("orders", json!({})).await;
        sleep(Duration::from_secs(1)).await;
        after
    });
    second.run(async {
        for id in [&before, &after] {
            assert_eq!(second.client.task(id).await["status"], "working");
        }
        // The first process hangs for a minute.
        sleep(Duration::from_secs(60)).await;
        for id in [&before, &after] {
            assert_eq!(second.client.task(id).await["status"], "working");
        }
        let others = second.client.header("authorization", "Bearer bob");
        assert_eq!(
            others.ask("tasks/get", json!({"taskId": after})).await.last["error"]["code"],
            -32602
        );
    });
    first.run(async { sleep(Duration::from_secs(10)).await });
    second.run(async {
        for id in [&before, &after] {
            let task = second.client.until(id, "completed").await;
            assert_eq!(task["result"]["content"][0]["text"], "ordered");
        }
    });
    assert_eq!(ORDERED.load(Ordering::Relaxed), 2);
}

#[test]
fn an_end_that_comes_between_two_looks_of_another_process_is_found() {
    let journal = Arc::new(Beside::default());
    let first = start(&journal);
    let id = first.run(async {
        let id = first.client.start("reads", json!({})).await;
        sleep(Duration::from_secs(1)).await;
        id
    });
    let second = start(&journal);
    second.run(async {
        assert_eq!(second.client.task(&id).await["status"], "working");
        sleep(Duration::from_secs(60)).await;
    });
    first.run(async { sleep(Duration::from_secs(10)).await });
    assert_eq!(journal.count(SessionFilter::Open), 0, "the first process has closed it");
    journal.early_reads.store(1, Ordering::Relaxed);
    second.run(async {
        sleep(Duration::from_secs(60)).await;
        assert_eq!(journal.early_reads.load(Ordering::Relaxed), 0, "it has looked");
        let task = second.client.task(&id).await;
        assert_eq!(task["result"]["content"][0]["text"], "read", "{task}");
    });
}

#[test]
fn the_tasks_of_a_process_that_died_are_taken_up_by_one_that_lives() {
    let journal = Arc::new(Beside::default());
    let first = start(&journal);
    let (reading, cancelled) = first.run(async {
        let reading = first.client.start("reads", json!({})).await;
        let cancelled = first.client.start("reads", json!({})).await;
        sleep(Duration::from_secs(1)).await;
        (reading, cancelled)
    });
    let second = start(&journal);
    second.run(async {
        second.client.task(&reading).await;
        for reply in [
            second.client.ask("tasks/cancel", json!({"taskId": cancelled})).await,
            second.client.update(&reading, json!({})).await,
        ] {
            assert_eq!(reply.last["error"]["code"], -32603, "{}", reply.text);
            assert!(reply.text.contains("another process"), "{}", reply.text);
        }
        assert_eq!(
            second.client.task(&cancelled).await["status"],
            "working",
            "nothing could be told yet"
        );
    });
    drop(first);
    second.run(async {
        let task = second.client.until(&reading, "completed").await;
        assert_eq!(task["result"]["content"][0]["text"], "read");
        second.client.until(&cancelled, "cancelled").await;
        sleep(2 * RETENTION).await;
        assert_eq!(journal.count(SessionFilter::All), 0);
    });
}

#[test]
fn a_task_that_ended_and_was_not_closed_is_closed_by_the_process_that_finds_it() {
    let before = Arc::new(Beside::default());
    let first = start(&before);
    let id = first.run(async {
        let id = first.client.start("quick", json!({"page": 4})).await;
        first.client.until(&id, "completed").await;
        sleep(Duration::from_secs(1)).await;
        id
    });
    drop(first);
    // A process that lives, and a store in which the other one has died just after the end.
    let journal = Arc::new(Beside::default());
    let second = start(&journal);
    second.run(async {
        let session = SessionId::new(id.as_str());
        let mut entries = before.entries.entries(&session);
        let settled = entries
            .iter()
            .position(|entry| matches!(entry, Entry::Settled { .. }))
            .unwrap();
        entries.truncate(settled + 1);
        journal
            .append(&session, &Claim::new(), Seq::START, &entries)
            .await
            .unwrap();
        let task = second.client.task(&id).await;
        assert_eq!(task["result"]["content"][0]["text"], "page 4", "{task}");
        sleep(Duration::from_secs(30)).await;
        assert_eq!(journal.count(SessionFilter::Open), 0);
        sleep(2 * RETENTION).await;
        assert_eq!(journal.count(SessionFilter::All), 0);
    });
}

#[test]
fn a_task_that_cannot_be_read_now_is_not_called_unknown() {
    let journal = Arc::new(Beside::default());
    let first = start(&journal);
    let id = first.run(async {
        let id = first.client.start("quick", json!({"page": 1})).await;
        first.client.until(&id, "completed").await;
        id
    });
    drop(first);
    let next = start(&journal);
    next.run(async {
        journal.is_away.store(true, Ordering::Relaxed);
        let known = next.client.ask("tasks/get", json!({"taskId": id})).await;
        assert_eq!(known.last["error"]["code"], -32603, "{}", known.text);
        let unknown = id.replace(id.chars().last().unwrap(), "0");
        let unknown = next.client.ask("tasks/get", json!({"taskId": unknown})).await;
        assert_eq!(known.text, unknown.text, "it tells nothing of a task");
        journal.is_away.store(false, Ordering::Relaxed);
        assert_eq!(next.client.task(&id).await["status"], "completed");
    });
}

/// Responses to the open questions of a result.
fn responses(result: &Value, answer: &str) -> Value {
    let keys = result["inputRequests"].as_object().unwrap().keys();
    let answer = json!({"action": "accept", "content": {"answer": answer}});
    keys.map(|key| (key.clone(), answer.clone())).collect()
}

#[test]
fn a_task_that_asked_before_it_was_one_survives_too() {
    let journal = Arc::new(Beside::default());
    let first = Process::start(&journal, all(), with_forms(), 0);
    let id = first.run(async {
        let asked = first.client.call("asks_first", json!({})).await.last["result"].clone();
        assert_eq!(asked["resultType"], "input_required");
        let params = json!({
            "name": "asks_first",
            "arguments": {},
            "requestState": asked["requestState"],
            "inputResponses": responses(&asked, "Ada"),
        });
        let task = first.client.ask("tools/call", params).await.last["result"].clone();
        assert_eq!(task["resultType"], "task", "{task}");
        task["taskId"].as_str().unwrap().to_owned()
    });
    drop(first);
    let next = Process::start(&journal, all(), with_forms(), 0);
    next.run(async {
        // It may run again, so it asks again, in its task now.
        let task = next.client.until(&id, "input_required").await;
        next.client.update(&id, responses(&task, "Bob")).await;
        let task = next.client.until(&id, "completed").await;
        assert_eq!(task["result"]["content"][0]["text"], "hello Bob");
    });
}

#[test]
fn a_call_that_died_before_it_was_a_task_is_not_taken_up() {
    let journal = Arc::new(Beside::default());
    let first = Process::start(&journal, all(), with_forms(), 0);
    let state = first.run(async {
        let asked = first.client.call("asks_first", json!({})).await.last["result"].clone();
        asked["requestState"].as_str().unwrap().to_owned()
    });
    drop(first);
    assert_eq!(journal.count(SessionFilter::Open), 1);
    let next = Process::start(&journal, all(), with_forms(), 0);
    next.run(async {
        let reply = next.client.ask("tasks/get", json!({"taskId": state})).await;
        assert_eq!(reply.last["error"]["code"], -32602, "{}", reply.text);
        sleep(Duration::from_secs(10)).await;
        assert_eq!(journal.count(SessionFilter::All), 0);
    });
}
