//! A process that ends, and the next one, which resumes its session.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Effect, FunctionTool, Message, SessionId, TaskId, TaskNo, ToolCall, ToolContext,
    ToolError,
    journal::{Entry, MemoryJournal},
    model::{ModelRequest, ModelStream},
    testing::{Replay, ScriptedModel},
};
use serde_json::{Value, json};

use crate::stand::{FailingJournal, Fault};

/// Runs of tools in all processes: tool, idempotency key and attempt.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Vec<(String, String, u32)>>>);

impl Seen {
    pub(super) fn note(&self, tool: &str, cx: &ToolContext) {
        let seen = (tool.to_owned(), cx.idempotency_key().to_string(), cx.attempt());
        self.0.lock().unwrap().push(seen);
    }

    pub(super) fn of(&self, tool: &str) -> Vec<(String, u32)> {
        let seen = self.0.lock().unwrap();
        let of = seen.iter().filter(|(name, ..)| name == tool);
        of.map(|(_, key, attempt)| (key.clone(), *attempt)).collect()
    }
}

/// A tool whose first run never ends by itself, and whose later runs return `again`.
pub(super) fn stuck(name: &'static str, effect: Effect, seen: &Seen) -> FunctionTool {
    let seen = seen.clone();
    FunctionTool::new(name, "Takes its time.", move |_: Value, cx: ToolContext| {
        let seen = seen.clone();
        async move {
            seen.note(name, &cx);
            if seen.of(name).len() == 1 {
                std::future::pending::<()>().await;
            }
            Ok::<_, ToolError>("again")
        }
    })
    .effect(effect)
    .grace(Duration::ZERO)
}

/// A model that calls these tools in its first turn, and only talks after that.
pub(super) fn caller(tools: &'static [&'static str]) -> ScriptedModel {
    ScriptedModel::new()
        .turn(move |_| {
            let made = tools.iter().enumerate();
            ModelStream::calls(made.map(|(place, tool)| ToolCall::new(format!("c{}", place + 1), *tool, json!({}))))
        })
        .otherwise(|_| ModelStream::text("so be it"))
}

pub(in crate::journal) fn listener() -> ScriptedModel {
    ScriptedModel::new().otherwise(|_| ModelStream::text("I see"))
}

pub(super) fn kept() -> Arc<MemoryJournal> {
    Arc::new(MemoryJournal::new())
}

pub(super) fn entries(kept: &MemoryJournal) -> Vec<Entry> {
    kept.entries(&SessionId::new("s"))
}

/// A session whose model has called the tools and has come to rest; then its process ends.
pub(super) async fn leave(
    kept: &Arc<MemoryJournal>,
    manager: &AsyncToolManager,
    tools: &'static [&'static str],
) -> (AsyncAgent, Vec<TaskId>) {
    let journal = FailingJournal::of(kept);
    let agent = AsyncAgent::builder(caller(tools), manager.clone())
        .journal(journal.clone())
        .session("s")
        .start()
        .await
        .unwrap();
    agent.send("go on").await.unwrap();
    let is_done = |entry: &Entry| matches!(entry, Entry::TurnEnded { calls, .. } if calls.is_empty());
    while !entries(kept).iter().any(is_done) {
        tokio::task::yield_now().await;
    }
    // Appends that are under way reach the journal.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    journal.set(Fault::Hangs);
    let tasks = agent.tasks().await.unwrap().iter().map(|task| task.task).collect();
    (agent, tasks)
}

/// Resumes the session in the next process.
pub(super) async fn resume(kept: &Arc<MemoryJournal>, manager: &AsyncToolManager, model: &ScriptedModel) -> AsyncAgent {
    kept.expire(&SessionId::new("s"));
    let builder = AsyncAgent::builder(model.clone(), manager.clone());
    builder.journal(Arc::clone(kept)).session("s").resume().await.unwrap()
}

pub(super) fn numbers(numbers: &[u32]) -> Vec<TaskNo> {
    numbers.iter().copied().map(TaskNo::new).collect()
}

/// The text of all deliveries that a request shows.
pub(super) fn told(request: &ModelRequest) -> String {
    let texts = request.messages.iter().filter_map(|message| match &**message {
        Message::Delivery { text, .. } => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

pub(super) fn check(kept: &MemoryJournal) {
    Replay::new(entries(kept)).unwrap().check().unwrap();
}
