//! Memory of an idle session.

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Model, async_tool,
    model::{ModelRequest, ModelStream},
    tools,
};
use memory_stats::memory_stats;
use tokio::{runtime::Builder, sync::mpsc};

use crate::process;

/// Number of sessions, so large that the process's own pages are negligible in the average.
const SESSIONS: usize = 20_000;

const ROWS: [&str; 3] = ["floor", "opened", "has answered its user"];

/// Prints the bytes of a session after it was opened, after it has answered its user, and of the floor.
///
/// The figure is the growth of the process's resident memory, divided by the number of sessions.
pub(crate) fn measure() {
    println!(
        "idle                      {SESSIONS} sessions; floor: a tokio task that waits for a channel (budget: 10,240 bytes)"
    );
    ROWS.into_iter().for_each(process::measure);
}

/// Measures and prints this row; returns false if the table has no such row.
pub(crate) fn measure_row(row: &str) -> bool {
    let bytes = match ROWS.iter().position(|known| *known == row) {
        Some(0) => bytes(floor),
        Some(1) => bytes(async || sessions(false).await),
        Some(_) => bytes(async || sessions(true).await),
        None => return false,
    };
    println!("  {row:<28}{bytes} bytes per session");
    true
}

async fn floor() -> Vec<mpsc::Sender<u32>> {
    let mut waiting = Vec::with_capacity(SESSIONS);
    for _ in 0..SESSIONS {
        let (sender, mut receiver) = mpsc::channel(16);
        tokio::spawn(async move { receiver.recv().await });
        waiting.push(sender);
    }
    waiting
}

async fn sessions(speak: bool) -> Vec<AsyncAgent> {
    let manager = AsyncToolManager::builder()
        .tools(tools![wait])
        .build()
        .expect("one tool is no clash");
    let mut agents = Vec::with_capacity(SESSIONS);
    for _ in 0..SESSIONS {
        let agent = AsyncAgent::builder(Polite, manager.clone()).start().await;
        agents.push(agent.expect("a session of its own is free"));
    }
    if speak {
        for agent in &agents {
            agent.send("Good morning.").await.expect("the session is open");
        }
        for agent in &agents {
            agent.run_until_idle().await.expect("the model doesn't fail");
        }
    }
    agents
}

/// A tool that could run in the background, so that the sessions are ready for tasks.
#[async_tool]
async fn wait() {}

struct Polite;

impl Model for Polite {
    fn generate(&self, _: ModelRequest) -> ModelStream {
        ModelStream::text("Good morning to you.")
    }
}

/// Bytes of memory for each session, after all tokio tasks have run until they wait.
fn bytes<T>(begin: impl AsyncFnOnce() -> T) -> String {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime with a timer needs nothing from the system");
    runtime.block_on(async {
        let before = memory_stats().map(|stats| stats.physical_mem);
        let waiting = begin().await;
        for _ in 0..SESSIONS / 16 {
            tokio::task::yield_now().await;
        }
        let after = memory_stats().map(|stats| stats.physical_mem);
        drop(waiting);
        match (before, after) {
            (Some(before), Some(after)) => (after.saturating_sub(before) / SESSIONS).to_string(),
            _ => "unknown".to_owned(),
        }
    })
}
