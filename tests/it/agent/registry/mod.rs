//! Agents of many sessions: one for each session, which leaves when it is idle.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    AgentRegistry, AsyncAgent, AsyncToolManager, RulePlanner, SessionId, ToolContext, agent::AsyncAgentBuilder,
    async_tool, journal::MemoryJournal, tools,
};

use crate::stand::secs;

mod departures;
mod gets;
mod races;
mod recovery;

/// Idle time of the registries here.
const IDLE: Duration = secs(300);

/// Works for some seconds.
#[async_tool(effect = "read", background = "always")]
async fn work(seconds: u64) -> u64 {
    tokio::time::sleep(secs(seconds)).await;
    seconds
}

/// Doesn't stop when it is told to.
#[async_tool(effect = "read", background = "always")]
async fn stubborn() {
    std::future::pending().await
}

/// Deletes a file.
#[async_tool(approval = "always")]
async fn delete(path: String) -> String {
    format!("deleted {path}")
}

/// Orders a thing; the shop calls back within some seconds.
#[async_tool(grace = "0s")]
async fn order(seconds: u64, #[inject] cx: ToolContext) -> String {
    cx.defer_within(secs(seconds)).await
}

fn manager() -> AsyncToolManager {
    let builder = AsyncToolManager::builder().tools(tools![work, delete, order]);
    builder.build().unwrap()
}

fn planner(manager: &AsyncToolManager) -> impl Fn(&SessionId) -> AsyncAgentBuilder + Send + Sync + 'static {
    let manager = manager.clone();
    move |_| AsyncAgent::builder(RulePlanner::new(), manager.clone())
}

/// A registry of one process.
fn process(journal: &Arc<MemoryJournal>) -> (AgentRegistry, AsyncToolManager) {
    let manager = manager();
    let builder = AgentRegistry::builder(Arc::clone(journal), planner(&manager));
    (builder.idle_after(IDLE).build(), manager)
}

fn registry() -> AgentRegistry {
    process(&Arc::default()).0
}
