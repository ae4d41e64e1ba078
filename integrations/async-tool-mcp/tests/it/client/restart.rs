//! Agents that are left or killed while a server works for them.

use std::{mem::ManuallyDrop, sync::Arc};

use async_tool_mcp::McpClient;
use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Message, SessionId, TaskStatus, ToolCall,
    agent::AsyncAgentBuilder,
    journal::{Entry, MemoryJournal, check_journal},
    model::ModelStream,
    testing::ScriptedModel,
};
use serde_json::{Value, json};
use tokio::{runtime::Builder, time::timeout};

use super::{
    SECOND,
    remote::{Act, Remote, completed, created, state, text, tool, with},
    until,
};

/// A model that calls `work` first, and only talks after that, in every process.
fn model() -> ScriptedModel {
    let has_spoken = |message: &Arc<Message>| matches!(&**message, Message::Assistant { .. });
    ScriptedModel::new().otherwise(move |request| match request.messages.iter().any(has_spoken) {
        true => ModelStream::text("so be it"),
        false => ModelStream::calls([ToolCall::new("c1", "work", json!({}))]),
    })
}

async fn process(remote: &Remote, journal: &Arc<MemoryJournal>) -> (AsyncToolManager, AsyncAgentBuilder) {
    let client = McpClient::connect(remote.streams()).await.unwrap();
    let tools = client
        .function_tools()
        .into_iter()
        .map(|tool| tool.grace(std::time::Duration::ZERO).into());
    let manager = AsyncToolManager::builder().tools(tools).build().unwrap();
    let agent = AsyncAgent::builder(model(), manager.clone())
        .session("s")
        .journal(Arc::clone(journal));
    (manager, agent)
}

/// A process, which ends with its runtime.
fn run<T>(process: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let ended = runtime.block_on(async { timeout(100_000 * SECOND, process).await.expect("the process hangs") });
    runtime.shutdown_background();
    ended
}

fn entries(journal: &MemoryJournal) -> Vec<Entry> {
    journal.entries(&SessionId::new("s"))
}

fn results(journal: &MemoryJournal) -> Vec<Value> {
    let settled = entries(journal).into_iter().filter_map(|entry| match entry {
        Entry::Settled { result } => Some(json!(result.outcome)),
        _ => None,
    });
    settled.collect()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Left,
    Killed,
}

/// Plays a session in which the first process ends when `is_time` says so, and returns after the session is at rest in the next one.
fn restarted(remote: &Remote, end: End, is_time: impl Fn(&AsyncToolManager, &Remote) -> bool) -> Arc<MemoryJournal> {
    let journal = Arc::new(MemoryJournal::new());
    run(async {
        let (manager, agent) = process(remote, &journal).await;
        let agent = agent.start().await.unwrap();
        agent.send("go on").await.unwrap();
        until(|| is_time(&manager, remote)).await;
        match end {
            End::Left => agent.leave().await.unwrap(),
            // Neither the agent nor its runtime runs anything more.
            End::Killed => {
                let _never_dropped = ManuallyDrop::new(agent);
            }
        }
    });
    journal.expire(&SessionId::new("s"));
    run(async {
        let (_manager, agent) = process(remote, &journal).await;
        let agent = agent.resume().await.unwrap();
        agent.run_until_idle().await.unwrap();
        agent.close().await.unwrap();
    });
    check_journal(&entries(&journal)).unwrap();
    journal
}

fn polled(count: usize) -> impl Fn(&AsyncToolManager, &Remote) -> bool {
    move |_, remote| remote.of("tasks/get").len() >= count
}

fn hinted(remote: Remote, hint: &str) -> Remote {
    remote.offers(json!([with(tool("work"), json!({"annotations": {hint: true}}))]));
    remote
}

#[test]
fn polls_go_on_after_a_restart_and_the_tool_is_not_called_again() {
    for end in [End::Left, End::Killed] {
        for hint in ["readOnlyHint", "idempotentHint", "none"] {
            let remote = Remote::new(|seen, before| match &*seen.method {
                "tools/call" => vec![Act::Result(created("t"))],
                "tasks/get" if before < 40 => vec![Act::Result(state("t", "working"))],
                "tasks/get" => vec![Act::Result(completed("t", "done"))],
                _ => Vec::new(),
            });
            let remote = hinted(remote, hint);
            let journal = restarted(&remote, end, polled(10));
            assert_eq!(
                results(&journal),
                [json!({"status": "completed", "value": "done"})],
                "{end:?} {hint}"
            );
            assert_eq!(remote.of("tools/call").len(), 1, "{end:?} {hint}");
            assert_eq!(remote.of("tasks/get").len(), 41, "{end:?} {hint}");
            // Nothing was cancelled: the task went on.
            assert_eq!(
                (
                    remote.of("tasks/cancel").len(),
                    remote.of("notifications/cancelled").len()
                ),
                (0, 0),
                "{end:?} {hint}"
            );
        }
    }
}

#[test]
fn a_question_is_asked_again_after_a_restart_only_if_it_was_not_answered() {
    let form = |message: &str| json!({"method": "elicitation/create", "params": {"message": message, "requestedSchema": {"type": "object"}}});
    for end in [End::Left, End::Killed] {
        let (first, second) = (form("first"), form("second"));
        let remote = Remote::new(move |seen, before| match &*seen.method {
            "tools/call" => vec![Act::Result(created("t"))],
            // The answered key is still shown.
            "tasks/get" if before < 500 => vec![Act::Result(with(
                state("t", "input_required"),
                json!({"inputRequests": {"a": first.clone(), "b": second.clone()}}),
            ))],
            "tasks/get" => vec![Act::Result(completed("t", "done"))],
            _ => Vec::new(),
        });
        let journal = Arc::new(MemoryJournal::new());
        let open = |manager: &AsyncToolManager| {
            let task = entries(&journal).iter().find_map(|entry| match entry {
                Entry::Accepted { task, .. } => Some(*task),
                _ => None,
            })?;
            let task = manager.task(task)?;
            (task.status() == TaskStatus::InputRequired).then_some(task)
        };
        run(async {
            let (manager, agent) = process(&remote, &journal).await;
            let agent = agent.start().await.unwrap();
            agent.send("go on").await.unwrap();
            until(|| open(&manager).is_some()).await;
            manager.answer(open(&manager).unwrap().id(), json!({"n": 1})).unwrap();
            remote.until("tasks/update", 1).await;
            let asks_second = |manager: &AsyncToolManager| {
                open(manager).is_some_and(|task| format!("{:?}", task.snapshot().request).contains("second"))
            };
            until(|| asks_second(&manager)).await;
            match end {
                End::Left => agent.leave().await.unwrap(),
                End::Killed => {
                    let _never_dropped = ManuallyDrop::new(agent);
                }
            }
        });
        journal.expire(&SessionId::new("s"));
        run(async {
            let (manager, agent) = process(&remote, &journal).await;
            let agent = agent.resume().await.unwrap();
            until(|| open(&manager).is_some()).await;
            let task = open(&manager).unwrap();
            assert!(
                format!("{:?}", task.snapshot().request).contains("second"),
                "{end:?}: {:?}",
                task.snapshot()
            );
            manager.answer(task.id(), json!({"n": 2})).unwrap();
            agent.run_until_idle().await.unwrap();
            agent.close().await.unwrap();
        });
        check_journal(&entries(&journal)).unwrap();
        let answers: Vec<_> = remote
            .of("tasks/update")
            .iter()
            .map(|seen| seen.params()["inputResponses"].clone())
            .collect();
        let accepted = |n| json!({"action": "accept", "content": {"n": n}});
        assert_eq!(
            answers,
            [json!({"a": accepted(1)}), json!({"b": accepted(2)})],
            "{end:?}"
        );
        assert_eq!((results(&journal).len(), remote.of("tools/call").len()), (1, 1));
    }
}

#[test]
fn a_task_that_the_server_forgot_is_called_again_only_if_that_does_no_harm() {
    for (hint, calls, expected) in [
        ("readOnlyHint", 2, "again"),
        ("none", 1, "the server does not know the task any more"),
    ] {
        let remote = Remote::new(|seen, before| match (&*seen.method, before) {
            ("tools/call", 0) => vec![Act::Result(created("t"))],
            ("tools/call", _) => vec![Act::Result(text("again"))],
            ("tasks/get", 0..10) => vec![Act::Result(state("t", "working"))],
            ("tasks/get", _) => vec![Act::Error(-32602, "unknown task")],
            _ => Vec::new(),
        });
        let remote = hinted(remote, hint);
        let journal = restarted(&remote, End::Killed, polled(10));
        let results = results(&journal);
        assert!(
            results.len() == 1 && results[0].to_string().contains(expected),
            "{hint}: {results:?}"
        );
        assert_eq!(remote.of("tools/call").len(), calls, "{hint}");
    }
}

#[test]
fn a_call_that_had_no_task_yet_is_unknown_or_called_again() {
    for (hint, calls, expected) in [("readOnlyHint", 2, "again"), ("none", 1, "the call may have been done")] {
        let remote = Remote::new(|seen, before| match (&*seen.method, before) {
            ("tools/call", 0) => vec![Act::Hangs],
            ("tools/call", _) => vec![Act::Result(text("again"))],
            _ => Vec::new(),
        });
        let remote = hinted(remote, hint);
        let journal = restarted(&remote, End::Killed, |_, remote| !remote.of("tools/call").is_empty());
        let results = results(&journal);
        assert!(
            results.len() == 1 && results[0].to_string().contains(expected),
            "{hint}: {results:?}"
        );
        assert_eq!(remote.of("tools/call").len(), calls, "{hint}");
    }
}

#[test]
fn a_task_may_be_taken_up_many_times() {
    let remote = Remote::new(|seen, before| match &*seen.method {
        "tools/call" => vec![Act::Result(created("t"))],
        "tasks/get" if before < 60 => vec![Act::Result(state("t", "working"))],
        "tasks/get" => vec![Act::Result(completed("t", "done"))],
        _ => Vec::new(),
    });
    let remote = hinted(remote, "readOnlyHint");
    let journal = Arc::new(MemoryJournal::new());
    for round in 1..=9 {
        run(async {
            let (_manager, agent) = process(&remote, &journal).await;
            let agent = agent.resume_or_start().await.unwrap();
            if round == 1 {
                agent.send("go on").await.unwrap();
            }
            if round == 9 {
                agent.run_until_idle().await.unwrap();
                agent.close().await.unwrap();
                return;
            }
            remote.until("tasks/get", 5 * round).await;
            agent.leave().await.unwrap();
        });
    }
    check_journal(&entries(&journal)).unwrap();
    assert_eq!(results(&journal), [json!({"status": "completed", "value": "done"})]);
    assert_eq!(remote.of("tools/call").len(), 1);
}
