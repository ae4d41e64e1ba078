//! Place of the proofs: a server, and a queue and a log for each proof.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use async_tool_runtime::{
    AsyncTaskResult, AsyncToolManager, SessionId, TaskOutcome, ToolCall, ToolError, ToolErrorKind, manager::TaskHandle,
};
use async_tool_temporal::TemporalBackend;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::time::timeout;

use crate::{process::Process, server::Server, tools, world::World};

/// Heartbeat timeout of most proofs, so that a lost worker is noticed soon.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(3);

/// Longest wait for anything that has to come.
pub(crate) const LIMIT: Duration = Duration::from_secs(45);

/// Place of one proof.
pub(crate) struct Bench {
    pub(crate) url: String,
    pub(crate) queue: String,
    pub(crate) world: World,
    pub(crate) directory: PathBuf,
}

impl Bench {
    pub(crate) fn new(server: &Server, directory: &Path, proof: &str) -> Result<Self> {
        let world = World::new(directory.join(format!("{proof}.log")));
        for old in [world.path().to_owned(), world.path().with_extension("workers")] {
            let _ = std::fs::remove_file(old);
        }
        Ok(Self {
            url: server.url(),
            queue: proof.to_owned(),
            world,
            directory: directory.to_owned(),
        })
    }

    pub(crate) fn worker(&self, slots: usize) -> Result<Process> {
        Process::worker(&self.url, &self.queue, slots, &self.world)
    }

    pub(crate) async fn backend(&self, heartbeat: Duration) -> Result<TemporalBackend> {
        let backend = TemporalBackend::connect(self.url.as_str())
            .queue(self.queue.as_str())
            .heartbeat(heartbeat);
        backend.await.context("no backend")
    }

    /// The agent's side: a manager whose tools run on the workers of the queue.
    pub(crate) async fn manager(&self, heartbeat: Duration) -> Result<AsyncToolManager> {
        let backend = self.backend(heartbeat).await?;
        Ok(tools::manager(self.world.clone()).backend(backend).build()?)
    }
}

pub(crate) fn session() -> SessionId {
    SessionId::new("the user's")
}

pub(crate) fn call(tool: &str, arguments: Value) -> ToolCall {
    ToolCall::new("call", tool, arguments)
}

/// Submits calls of a tool with a label and a time.
pub(crate) fn submit(
    manager: &AsyncToolManager,
    tool: &str,
    labels: std::ops::Range<usize>,
    millis: u64,
) -> Result<Vec<TaskHandle>> {
    let submit = |label| {
        let arguments = json!({"label": format!("{tool}{label}"), "millis": millis});
        Ok(manager.submit(&session(), call(tool, arguments))?)
    };
    labels.map(submit).collect()
}

/// Results of all tasks, in their order.
pub(crate) async fn results(tasks: &[TaskHandle]) -> Result<Vec<Arc<AsyncTaskResult>>> {
    let mut results = Vec::new();
    for task in tasks {
        let result = timeout(LIMIT, task.outcome()).await;
        results.push(result.with_context(|| format!("task {} did not end within {LIMIT:?}", task.id()))?);
    }
    Ok(results)
}

pub(crate) fn all_completed(results: &[Arc<AsyncTaskResult>]) -> Result<()> {
    for result in results {
        ensure!(
            matches!(result.outcome, TaskOutcome::Completed(_)),
            "{} ended as {:?}",
            result.arguments["label"],
            result.outcome
        );
    }
    Ok(())
}

pub(crate) fn kind(result: &AsyncTaskResult) -> Option<ToolErrorKind> {
    result.outcome.error().map(ToolError::kind)
}

pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
