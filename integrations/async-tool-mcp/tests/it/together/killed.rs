//! An agent that is killed while a server works for it. The child process is this binary again.

use std::{
    env,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use async_tool_mcp::McpClient;
use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Journal as _, Message, SessionId, TaskOutcome, ToolCall,
    journal::{Entry, Seq, check_journal},
    model::ModelStream,
    testing::ScriptedModel,
};
use async_tool_sqlite::SqliteJournal;
use serde_json::json;
use tokio::time::sleep;

use super::{
    PATIENCE,
    place::{Place, Wire},
    until,
};

const URL: &str = "ASYNC_TOOL_MCP_TEST_URL";
const FILE: &str = "ASYNC_TOOL_MCP_TEST_FILE";
const BODY: &str = "together::killed::the_agent_that_is_killed";

/// Not a test: the process of the agent.
#[tokio::test]
#[ignore = "the child process of the tests here"]
async fn the_agent_that_is_killed() {
    let (Ok(url), Ok(file)) = (env::var(URL), env::var(FILE)) else {
        return;
    };
    let has_spoken = |message: &Arc<Message>| matches!(&**message, Message::Assistant { .. });
    let model = ScriptedModel::new().otherwise(move |request| match request.messages.iter().any(has_spoken) {
        true => ModelStream::text("so be it"),
        false => ModelStream::calls([ToolCall::new("c1", "order", json!({"ms": 1_500}))]),
    });
    let client = McpClient::connect(url).await.unwrap();
    let tools = client.function_tools().into_iter();
    let tools = tools.map(|tool| tool.grace(Duration::ZERO).into());
    let manager = AsyncToolManager::builder().tools(tools).build().unwrap();
    let journal = SqliteJournal::open(file).unwrap();
    let builder = AsyncAgent::builder(model, manager)
        .session("s")
        .journal(Arc::new(journal));
    let agent = builder.resume_or_start().await.unwrap();
    if agent.resumption().is_none() {
        agent.send("order it").await.unwrap();
    }
    agent.run_until_idle().await.unwrap();
    agent.close().await.unwrap();
}

fn agent(place: &Place, file: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", BODY, "--ignored", "--nocapture"])
        .env(URL, place.url())
        .env(FILE, file)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

async fn entries(file: &Path) -> Vec<Entry> {
    let Ok(journal) = SqliteJournal::open_read_only(file) else {
        return Vec::new();
    };
    let mut entries = Vec::new();
    let session = SessionId::new("s");
    let mut stream = journal.read(&session, Seq::START);
    while let Some(entry) = std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
        entries.push(entry.unwrap().1);
    }
    entries
}

async fn keeps_the_task(file: &Path) -> bool {
    let entries = entries(file).await;
    entries.iter().any(|entry| matches!(entry, Entry::Checkpointed { .. }))
}

async fn ended(mut child: Child) {
    let waits = async {
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waits).await.expect("the agent hangs");
}

/// Kills an agent at a moment, and lets the next one go on. Returns the outcomes in the journal.
async fn killed(place: &Place, file: &Path, kills: usize) -> Vec<TaskOutcome> {
    for round in 0..kills {
        let mut child = agent(place, file);
        if round == 0 {
            until("the call", || place.counts.of("order") == 1).await;
        }
        for _ in 0..3_000 {
            if keeps_the_task(file).await {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        assert!(
            keeps_the_task(file).await,
            "the id of the server's task is not in the journal"
        );
        sleep(Duration::from_millis(60)).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    ended(agent(place, file)).await;
    let entries = entries(file).await;
    check_journal(&entries).unwrap();
    let settled = entries.into_iter().filter_map(|entry| match entry {
        Entry::Settled { result } => Some(result.outcome.clone()),
        _ => None,
    });
    settled.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polls_go_on_after_a_kill_and_the_remote_tool_ran_once() {
    for kills in [1, 3] {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::start(Wire::Http).await;
        let outcomes = killed(&place, &directory.path().join("agent.db"), kills).await;
        assert_eq!(outcomes, [TaskOutcome::Completed(json!("ordered"))], "{kills}");
        assert_eq!(
            (place.counts.of("order"), place.counts.of("order done")),
            (1, 1),
            "{kills}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_came_while_no_agent_lived_is_fetched_by_the_next_one() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agent.db");
    let place = Place::start(Wire::Http).await;
    let mut child = agent(&place, &file);
    until("the call", || place.counts.of("order") == 1).await;
    while !keeps_the_task(&file).await {
        sleep(Duration::from_millis(10)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    until("the end", || place.counts.of("order done") == 1).await;
    ended(agent(&place, &file)).await;
    let entries = entries(&file).await;
    let is_ordered =
        |entry: &Entry| matches!(entry, Entry::Settled { result } if result.outcome.value() == Some(&json!("ordered")));
    assert_eq!(entries.iter().filter(|entry| is_ordered(entry)).count(), 1);
    assert_eq!(place.counts.of("order"), 1);
}
