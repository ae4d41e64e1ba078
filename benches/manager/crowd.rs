//! Many sessions in one process.

use std::time::{Duration, Instant};

use async_tool_runtime::{AsyncToolManager, SessionId, TaskOutcome, async_tool, tools};
use memory_stats::memory_stats;
use tokio::{runtime::Runtime, task::JoinSet};

use crate::tool::call;

const SESSIONS: usize = 10_000;
const TASKS: usize = 10;

/// Yields `sources` times, as a tool that waits does.
#[async_tool]
async fn echo(topic: String, sources: u32) -> String {
    for _ in 0..sources {
        tokio::task::yield_now().await;
    }
    topic
}

/// Prints the time and memory of 10,000 sessions with 10 tasks each, and the numbers of all outcomes and of those in a wrong session.
pub(crate) fn measure() {
    let runtime = Runtime::new().expect("the system has threads to give");
    runtime.block_on(async {
        let manager = AsyncToolManager::builder()
            .tools(tools![echo])
            .open_tasks(SESSIONS * TASKS)
            .build()
            .expect("one tool is no clash");
        let before = memory_stats().map(|stats| stats.physical_mem);
        let begin = Instant::now();
        let mut sessions = JoinSet::new();
        for session in 0..SESSIONS {
            let manager = manager.clone();
            sessions.spawn(async move { of_session(&manager, session).await });
        }
        let mut latencies = Vec::with_capacity(SESSIONS * TASKS);
        let mut strays = 0;
        while let Some(session) = sessions.join_next().await {
            let (of_session, strays_of_session) = session.expect("a session does not panic");
            latencies.extend(of_session);
            strays += strays_of_session;
        }
        let elapsed = begin.elapsed();
        let after = memory_stats().map(|stats| stats.physical_mem);
        latencies.sort_unstable();
        let quantile = |share: f64| latencies.get((latencies.len() as f64 * share) as usize).copied().unwrap_or_default();
        println!(
            "crowd                   {SESSIONS} sessions x {TASKS} tasks: {} settled in {elapsed:.2?}, {strays} in the wrong session, p50 {:.2?}, p99 {:.2?}",
            latencies.len(),
            quantile(0.5),
            quantile(0.99),
        );
        if let (Some(before), Some(after)) = (before, after) {
            println!("crowd/memory            {} MB more at the end than at the start", after.saturating_sub(before) / 1_000_000);
        }
    });
}

/// Runs a session; returns the latency of each task, and the number of outcomes of other sessions or tasks.
async fn of_session(manager: &AsyncToolManager, number: usize) -> (Vec<Duration>, usize) {
    let session = SessionId::new(format!("session {number}"));
    let begin = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let arguments = format!(r#"{{"topic":"{number}/{task}","sources":3}}"#);
            call(manager, &session, "echo", &arguments)
        })
        .collect();
    let mut latencies = Vec::with_capacity(TASKS);
    let mut strays = 0;
    for (task, handle) in tasks.iter().enumerate() {
        let result = handle.outcome().await;
        latencies.push(begin.elapsed());
        let own = TaskOutcome::Completed(format!("{number}/{task}").into());
        strays += usize::from(result.session != session || result.outcome != own);
    }
    (latencies, strays)
}
