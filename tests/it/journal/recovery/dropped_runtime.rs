//! A runtime that is dropped while agents live, and the next runtime of the same process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, Effect, FunctionTool, SessionId, TaskNo, TaskStatus, ToolCall,
    agent::{AgentError, AsyncAgentBuilder, RunError},
    journal::{Entry, MemoryJournal},
    model::ModelStream,
    testing::{ScriptedModel, check_journal},
    tool::Background,
};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use crate::stand::tool;

const TOOLS: [&str; 4] = ["look", "put", "pay", "order"];

/// A tool whose first run never ends, and whose later runs end at once.
fn stuck(name: &'static str, effect: Effect, runs: &Arc<AtomicU32>) -> FunctionTool {
    let runs = Arc::clone(runs);
    tool(name, move |cx| {
        let is_first = runs.fetch_add(1, Ordering::SeqCst) < 4;
        async move {
            if name == "order" {
                return Ok(cx.defer().await);
            }
            if is_first {
                std::future::pending::<()>().await;
            }
            Ok(json!(name))
        }
    })
    .effect(effect)
    .background(Background::Always)
}

fn place() -> AsyncToolManager {
    let runs = Arc::default();
    crate::stand::manager([
        stuck("look", Effect::Read, &runs),
        stuck("put", Effect::Idempotent, &runs),
        stuck("pay", Effect::Once, &runs),
        stuck("order", Effect::Once, &runs),
    ])
}

fn builder(place: &AsyncToolManager, kept: &Arc<MemoryJournal>) -> AsyncAgentBuilder {
    let model = ScriptedModel::new().otherwise(|request| match request.messages.len() {
        1 => ModelStream::calls(TOOLS.map(|tool| ToolCall::new(tool, tool, json!({})))),
        _ => ModelStream::text("so be it"),
    });
    AsyncAgent::builder(model, place.clone())
        .journal(Arc::clone(kept))
        .session("s")
}

fn runtimes() -> [fn() -> Runtime; 2] {
    [
        || Builder::new_current_thread().enable_all().build().unwrap(),
        || {
            Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap()
        },
    ]
}

async fn at_work(place: &AsyncToolManager, kept: &Arc<MemoryJournal>) -> AsyncAgent {
    let agent = builder(place, kept).start().await.unwrap();
    agent.send("go on").await.unwrap();
    let is_waiting = |entry: &Entry| matches!(entry, Entry::Deferred { .. });
    while !kept.entries(agent.session()).iter().any(is_waiting) || place.stats().running < 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    agent
}

#[test]
fn what_is_said_to_run_again_after_a_runtime_was_dropped_runs() {
    for runtime in runtimes() {
        let (place, kept) = (place(), Arc::new(MemoryJournal::new()));
        let first = runtime();
        let agent = first.block_on(at_work(&place, &kept));
        let is_end = |entry: &Entry| {
            matches!(
                entry,
                Entry::Settled { .. } | Entry::Closing { .. } | Entry::Closed { .. }
            )
        };
        drop(first);
        let entries = kept.entries(&SessionId::new("s"));
        assert!(!entries.iter().any(is_end), "{entries:#?}");
        let second = runtime();
        second.block_on(async {
            let next = builder(&place, &kept).resume().await.unwrap();
            let resumption = next.resumption().unwrap().clone();
            assert_eq!(resumption.again, [TaskNo::new(1), TaskNo::new(2)]);
            assert_eq!(resumption.unknown, [TaskNo::new(3)]);
            assert_eq!(resumption.waiting, [TaskNo::new(4)]);
            let order = next.tasks().await.unwrap()[3].task;
            place.resolve_durably(order, "order").await.unwrap();
            next.run_until_idle().await.unwrap();
            let tasks = next.tasks().await.unwrap();
            let statuses: Vec<TaskStatus> = tasks.iter().map(|task| task.status).collect();
            let [done, unknown] = [TaskStatus::Completed, statuses[2]];
            assert_eq!(statuses, [done, done, unknown, done]);
            assert!(unknown.is_terminal() && unknown != TaskStatus::Completed);
            next.close().await.unwrap();
        });
        check_journal(&kept.entries(&SessionId::new("s"))).unwrap();
        drop(agent);
    }
}

#[test]
fn a_handle_of_an_agent_whose_runtime_was_dropped_says_so_at_every_call() {
    for runtime in runtimes() {
        let (place, kept) = (place(), Arc::new(MemoryJournal::new()));
        let first = runtime();
        let agent = first.block_on(at_work(&place, &kept));
        let mut events = agent.events();
        drop(first);
        let second = runtime();
        second.block_on(async {
            let is_gone = |error: AgentError| matches!(&error, AgentError::Stopped(why) if why.contains("runtime"));
            assert!(is_gone(agent.send("hello?").await.unwrap_err()));
            assert!(is_gone(agent.close().await.unwrap_err()));
            assert!(is_gone(agent.leave().await.unwrap_err()));
            assert!(is_gone(agent.tasks().await.unwrap_err()));
            assert!(matches!(agent.run_until_idle().await, Err(RunError::Stopped(_))));
            assert!(matches!(agent.run_until_parked().await, Err(RunError::Stopped(_))));
            let mut last = None;
            while let Some(event) = events.next().await {
                last = Some(event.kind);
            }
            assert!(matches!(last, Some(AgentEventKind::Stopped { .. })), "{last:?}");
            let mut late = agent.events();
            assert!(matches!(
                late.next().await.unwrap().kind,
                AgentEventKind::Stopped { .. }
            ));
            assert_eq!(late.next().await, None);
            let departure = place.leave_all(Duration::from_secs(5)).await;
            assert!(departure.left.is_empty() && departure.late.is_empty(), "{departure:?}");
        });
    }
}
