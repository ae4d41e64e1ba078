//! The rules that every backend must keep.

use std::{
    error::Error,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use async_tool_runtime::{
    CancellationToken,
    manager::Executor,
    testing::{BackendEngine, BackendRule, BackendSuite, BackendWorker},
};
use async_tool_temporal::{TemporalBackend, TemporalError, TemporalWorker};
use futures_util::{StreamExt as _, stream};
use tokio::task::JoinHandle;

use crate::bench::Bench;

/// Shortest heartbeat timeout of the backend, because the rules lose many workers.
const HEARTBEAT: Duration = Duration::from_millis(2_100);

/// Rules that are checked at once. Each has a queue of its own.
const AT_ONCE: usize = 8;

/// All rules of the suite.
pub(crate) async fn rules(bench: &Bench) -> Result<String> {
    let next = AtomicUsize::new(0);
    let queue = || Queue {
        url: bench.url.clone(),
        name: format!("{}-{}", bench.queue, next.fetch_add(1, Ordering::Relaxed)),
    };
    let checks = BackendRule::ALL.iter().map(|rule| {
        let suite = BackendSuite::new(queue).rules([*rule]);
        async move { suite.run().await }
    });
    let checked: Vec<_> = stream::iter(checks).buffer_unordered(AT_ONCE).collect().await;
    let broken: Vec<String> = checked
        .iter()
        .filter_map(|ended| ended.as_ref().err())
        .flat_map(|error| error.broken())
        .map(ToString::to_string)
        .collect();
    ensure!(
        broken.is_empty(),
        "{} rules are broken\n{}",
        broken.len(),
        broken.join("\n")
    );
    Ok(format!("{} rules kept", checked.len()))
}

/// Queue of the server.
struct Queue {
    url: String,
    name: String,
}

impl BackendEngine for Queue {
    type Backend = TemporalBackend;
    type Worker = Worker;

    async fn connect(&self) -> Result<TemporalBackend, Box<dyn Error + Send + Sync>> {
        let backend = TemporalBackend::connect(self.url.as_str())
            .queue(self.name.as_str())
            .heartbeat(HEARTBEAT);
        Ok(backend.await?)
    }

    async fn work(&self, executor: Executor, slots: usize) -> Result<Worker, Box<dyn Error + Send + Sync>> {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let worker = TemporalWorker::new(self.url.as_str(), self.name.as_str(), executor).slots(slots);
        let run = tokio::spawn(worker.run(async move { stopped.cancelled().await }));
        Ok(Worker { stop, run })
    }
}

/// Worker in this process. Dropping it kills it.
struct Worker {
    stop: CancellationToken,
    run: JoinHandle<Result<(), TemporalError>>,
}

impl BackendWorker for Worker {
    async fn stop(mut self) {
        self.stop.cancel();
        if let Err(error) = (&mut self.run)
            .await
            .context("the worker panicked")
            .and_then(|ended| Ok(ended?))
        {
            eprintln!("a worker of the suite ended: {error:#}");
        }
    }

    async fn kill(mut self) {
        self.run.abort();
        let _it_was_aborted = (&mut self.run).await;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.run.abort();
    }
}
