//! An engine that runs each task in a process of its own.

use std::{
    collections::HashMap,
    process::{ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::Context as _;
use async_tool_runtime::{
    CancellationToken, SessionId, TaskId, TaskOutcome,
    backend::{Backend, BackendCapabilities, BackendError, CancelMode, Heartbeats, Settlement},
    future::BoxFuture,
    manager::Executor,
    task::TaskSpec,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
    sync::watch,
};

/// Engine whose workers are processes of this program. A task goes to its worker as JSON, with the `traceparent` of its span.
#[derive(Default)]
pub(crate) struct Processes(Mutex<HashMap<TaskId, Work>>);

/// A task and its worker.
struct Work {
    end: watch::Receiver<Option<Settlement>>,
    /// Kills the worker.
    stop: CancellationToken,
}

impl Processes {
    fn works(&self) -> MutexGuard<'_, HashMap<TaskId, Work>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, task: &TaskSpec) -> anyhow::Result<()> {
        let mut works = self.works();
        if works.contains_key(&task.task) {
            return Ok(());
        }
        let child = Command::new(std::env::current_exe()?)
            .arg("worker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let text = serde_json::to_vec(task)?;
        let (ended, end) = watch::channel(None);
        let stop = CancellationToken::new();
        works.insert(
            task.task,
            Work {
                end,
                stop: stop.clone(),
            },
        );
        tokio::spawn(async move {
            let settlement = tokio::select! {
                settlement = run(child, text) => settlement.unwrap_or_else(|error| {
                    Settlement::new(TaskOutcome::Unknown(format!("the worker was lost: {error:#}")), 1)
                }),
                () = stop.cancelled() => Settlement::new(TaskOutcome::Cancelled("the worker was killed".to_owned()), 1),
            };
            ended.send_replace(Some(settlement));
        });
        Ok(())
    }
}

/// Gives a task to its worker, and waits for its end.
async fn run(mut child: Child, task: Vec<u8>) -> anyhow::Result<Settlement> {
    let mut stdin = child.stdin.take().context("it has no standard input")?;
    stdin.write_all(&task).await?;
    drop(stdin);
    let ended = child.wait_with_output().await?;
    anyhow::ensure!(ExitStatus::success(&ended.status), "it ended with {}", ended.status);
    Ok(serde_json::from_slice(&ended.stdout)?)
}

impl Backend for Processes {
    fn submit(&self, task: TaskSpec) -> BoxFuture<'_, Result<(), BackendError>> {
        let started = self.start(&task);
        let started = started.map_err(|error| BackendError::unreachable("no worker can be started").with_source(error));
        Box::pin(async { started })
    }

    fn outcome(&self, task: TaskId, _: Heartbeats) -> BoxFuture<'_, Result<Settlement, BackendError>> {
        let end = self.works().get(&task).map(|work| work.end.clone());
        Box::pin(async {
            let mut end = end.ok_or_else(|| BackendError::not_found("this process has not started the task"))?;
            let end = end.wait_for(Option::is_some).await;
            let settlement = end.ok().and_then(|end| end.clone());
            settlement.ok_or_else(|| BackendError::not_found("the runtime of the task was shut down"))
        })
    }

    fn cancel<'a>(&'a self, task: TaskId, _: CancelMode, _: &'a str) -> BoxFuture<'a, Result<(), BackendError>> {
        if let Some(work) = self.works().get(&task) {
            work.stop.cancel();
        }
        Box::pin(async { Ok(()) })
    }

    fn open_tasks<'a>(&'a self, _: &'a SessionId) -> BoxFuture<'a, Result<Vec<TaskId>, BackendError>> {
        let works = self.works();
        let open = works.iter().filter(|(_, work)| work.end.borrow().is_none());
        let open = open.map(|(task, _)| *task).collect();
        Box::pin(async { Ok(open) })
    }

    fn capabilities(&self) -> BackendCapabilities {
        BackendCapabilities::default()
    }
}

/// Runs the task that comes on the standard input, and prints its end.
pub(crate) async fn work(executor: &Executor) -> anyhow::Result<()> {
    let mut text = Vec::new();
    tokio::io::stdin().read_to_end(&mut text).await?;
    let task: TaskSpec = serde_json::from_slice(&text).context("the standard input has no task")?;
    let end = executor.execute(&task, 0, CancellationToken::new()).await?;
    println!("{}", serde_json::to_string(&end)?);
    Ok(())
}
