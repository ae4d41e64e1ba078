//! A backend under test.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    super::wrong::{Checked, Wrong},
    bench::Bench,
    engine::BackendEngine,
};
use crate::{
    backend::{Backend, BackendError, BackendErrorKind, CancelMode, Heartbeats, Settlement},
    id::TaskId,
    manager::Executor,
    session::SessionId,
    task::{TaskOutcome, TaskSpec},
    tool::ToolCall,
};

/// Time in which a wrong second start would come.
const QUIET: Duration = Duration::from_millis(300);

/// An engine with a connection, a session of its own, and the notes of its workers' tools.
pub(super) struct Stage<E: BackendEngine> {
    engine: E,
    pub(super) backend: Arc<E::Backend>,
    pub(super) session: SessionId,
    pub(super) bench: Bench,
    pub(super) patience: Duration,
}

impl<E: BackendEngine> Stage<E> {
    pub(super) async fn new(engine: E, patience: Duration) -> Checked<Self> {
        let backend = connect(&engine).await?;
        Ok(Self {
            engine,
            backend,
            session: new_session(),
            bench: Bench::default(),
            patience,
        })
    }

    /// Connects another agent's process.
    pub(super) async fn another(&self) -> Checked<Arc<E::Backend>> {
        connect(&self.engine).await
    }

    /// Replaces the connection by a new one.
    pub(super) async fn reconnected(self) -> Checked<Self> {
        let Self { engine, backend, .. } = self;
        drop(backend);
        let backend = connect(&engine).await?;
        Ok(Self {
            engine,
            backend,
            ..self
        })
    }

    /// Starts a worker with the suite's tools.
    pub(super) async fn worker(&self, slots: usize) -> Checked<E::Worker> {
        self.worker_with(self.bench.executor(), slots).await
    }

    pub(super) async fn worker_with(&self, executor: Executor, slots: usize) -> Checked<E::Worker> {
        let worker = self.engine.work(executor, slots).await;
        worker.map_err(|error| Wrong::error("start a worker", &*error))
    }

    pub(super) fn task(&self, tool: &str, arguments: Value) -> TaskSpec {
        TaskSpec::new(self.session.clone(), ToolCall::new("call_1", tool, arguments))
    }

    /// Submits a call without arguments.
    pub(super) async fn start(&self, tool: &str) -> Checked<TaskId> {
        let task = self.task(tool, json!({}));
        self.submit(&task).await?;
        Ok(task.task)
    }

    pub(super) async fn submit(&self, task: &TaskSpec) -> Checked {
        submit(&*self.backend, task).await
    }

    /// Waits until a task has started this often.
    pub(super) async fn started(&self, task: TaskId, starts: u32) -> Checked {
        let started = self.bench.started(task, starts);
        self.in_time(&format!("wait for start {starts} of a task"), "its start", started)
            .await
    }

    /// Waits for something that the engine must bring about.
    pub(super) async fn in_time<T>(&self, doing: &str, expected: &str, what: impl Future<Output = T>) -> Checked<T> {
        let ended = timeout(self.patience, what).await;
        ended.map_err(|_| Wrong::new(doing, expected, &format!("nothing within {:?}", self.patience)))
    }

    /// Waits for the end of a task.
    pub(super) async fn end(&self, task: TaskId) -> Checked<Settlement> {
        self.end_through(&*self.backend, task).await
    }

    pub(super) async fn end_through(&self, backend: &E::Backend, task: TaskId) -> Checked<Settlement> {
        let end = self
            .in_time("wait for the end of a task", "its end", found(backend, task))
            .await?;
        end.map_err(|error| Wrong::error("wait for the end of a task", &error))
    }

    /// Checks the outcome of a task.
    pub(super) async fn ends_as(&self, task: TaskId, expected: &TaskOutcome) -> Checked<Settlement> {
        let end = self.end(task).await?;
        equal("read the outcome of a task", expected, &end.outcome)?;
        Ok(end)
    }

    /// Checks that a task has started this often, and doesn't start again.
    pub(super) async fn has_started(&self, task: TaskId, expected: u32) -> Checked {
        sleep(QUIET).await;
        equal("count the starts of a task", &expected, &self.bench.starts(task))
    }

    /// Gives the engine time for what it must not do.
    pub(super) async fn quiet(&self) {
        sleep(QUIET).await;
    }

    pub(super) async fn cancel(&self, task: TaskId, mode: CancelMode, reason: &str) -> Checked {
        let cancelled = self.backend.cancel(task, mode, reason).await;
        cancelled.map_err(|error| Wrong::error(format!("stop a task with {mode:?}"), &error))
    }
}

pub(super) async fn submit(backend: &impl Backend, task: &TaskSpec) -> Checked {
    let submitted = backend.submit(task.clone()).await;
    submitted.map_err(|error| Wrong::error(format!("submit a call of `{}`", task.call.name), &error))
}

/// End of a task. An outage is waited out, as the manager does.
async fn found(backend: &impl Backend, task: TaskId) -> Result<Settlement, BackendError> {
    loop {
        match backend.outcome(task, Heartbeats::ignored()).await {
            Err(error) if error.kind() == BackendErrorKind::Unreachable => sleep(QUIET).await,
            ended => return ended,
        }
    }
}

pub(super) fn equal<T: std::fmt::Debug + PartialEq>(doing: &str, expected: &T, found: &T) -> Checked {
    if expected == found {
        return Ok(());
    }
    Err(Wrong::new(doing, &format!("{expected:?}"), &format!("{found:?}")))
}

/// A session that no other run of the suite has.
pub(super) fn new_session() -> SessionId {
    SessionId::new(format!("suite-{}", TaskId::new()))
}

async fn connect<E: BackendEngine>(engine: &E) -> Checked<Arc<E::Backend>> {
    let backend = engine.connect().await;
    let backend = backend.map_err(|error| Wrong::error("connect to the engine", &*error))?;
    Ok(Arc::new(backend))
}
