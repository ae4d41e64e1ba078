//! Memory of a session in a registry of agents whose journal is on disk.

use std::{future::ready, time::Duration};

use async_tool_runtime::{
    AgentRegistry, AsyncAgent, AsyncToolManager, Journal, Model, SessionId, ToolCall, ToolContext, async_tool,
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Claim, Entry, ReadError, Seq, SessionFilter},
    model::{ModelRequest, ModelStream},
    tools,
};
use futures_util::stream;
use memory_stats::memory_stats;
use serde_json::json;
use tokio::{runtime::Builder, time::sleep};

use crate::process;

const SESSIONS: usize = 10_000;

const ROWS: [&str; 4] = ["live", "live, and read by a client", "left", "left, with a deadline"];

/// Prints the bytes of a session that has answered its user, in each of its states.
pub(crate) fn measure() {
    println!(
        "registry                  {SESSIONS} sessions that have answered their user; the journal keeps nothing in memory"
    );
    ROWS.into_iter().for_each(process::measure);
}

/// Measures and prints this row; returns false if the table has no such row.
pub(crate) fn measure_row(row: &str) -> bool {
    let Some(place) = ROWS.iter().position(|known| *known == row) else {
        return false;
    };
    let runtime = Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime with a timer needs nothing from the system");
    let bytes = runtime.block_on(sessions(place == 1, place >= 2, place == 3));
    println!("  {row:<28}{bytes} bytes per session");
    true
}

async fn sessions(is_read: bool, is_left: bool, has_deadline: bool) -> String {
    let manager = AsyncToolManager::builder().tools(tools![wait]).build();
    let manager = manager.expect("one tool is no clash");
    let make = move |_: &SessionId| AsyncAgent::builder(Polite(has_deadline), manager.clone());
    let idle = Duration::from_secs(if is_left { 1 } else { 3600 });
    let agents = AgentRegistry::builder(Disk, make).idle_after(idle).build();
    // The first ones grow tables and pools that all share, and the heap: the memory of agents that have left is used again.
    let first = if is_left { SESSIONS } else { 100 };
    let mut readers = Vec::new();
    for number in 0..first {
        readers.extend(greet(&agents, format!("first-{number}"), is_read).await);
    }
    settled(&agents, is_left).await;
    let before = memory_stats().map(|stats| stats.physical_mem);
    for number in 0..SESSIONS {
        readers.extend(greet(&agents, format!("session-{number}"), is_read).await);
    }
    settled(&agents, is_left).await;
    let after = memory_stats().map(|stats| stats.physical_mem);
    match (before, after) {
        (Some(before), Some(after)) => (after.saturating_sub(before) / SESSIONS).to_string(),
        _ => "unknown".to_owned(),
    }
}

async fn greet(
    agents: &AgentRegistry,
    session: String,
    is_read: bool,
) -> Option<async_tool_runtime::agent::AgentEventStream> {
    let agent = agents.get(session).await.expect("the session is free");
    agent.send("Good morning.").await.expect("the session is open");
    agent.run_until_parked().await.expect("the model doesn't fail");
    is_read.then(|| agent.events())
}

async fn settled(agents: &AgentRegistry, is_left: bool) {
    while is_left && !agents.sessions().is_empty() {
        sleep(Duration::from_millis(100)).await;
    }
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
}

/// Waits for the outside, for a day at most.
#[async_tool(grace = "0s")]
async fn wait(#[inject] cx: ToolContext) -> String {
    cx.defer_within(Duration::from_secs(24 * 60 * 60)).await
}

/// Answers, and calls the tool first if it has one to call.
struct Polite(bool);

impl Model for Polite {
    fn generate(&self, request: ModelRequest) -> ModelStream {
        match self.0 && request.messages.len() == 1 {
            true => ModelStream::calls([ToolCall::new("c1", "wait", json!({}))]),
            false => ModelStream::text("Good morning to you."),
        }
    }
}

/// Journal that takes no memory of this process. It gives nothing back.
struct Disk;

impl Journal for Disk {
    fn append<'a>(
        &'a self,
        _: &'a SessionId,
        _: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        Box::pin(ready(Ok(Seq::new(after.as_u64() + entries.len() as u64))))
    }

    fn read<'a>(&'a self, _: &'a SessionId, _: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        Box::pin(stream::empty())
    }

    fn sessions(&self, _: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        Box::pin(stream::empty())
    }
}
