//! Tools of the suite's workers, and what they note.

use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{sync::Notify, time::Instant};

use crate::{
    id::TaskId,
    manager::{AsyncToolManager, Executor},
    task::TaskOutcome,
    tool::{BoundCall, Dedupe, Effect, FunctionTool, ToolContext, ToolDefinition, ToolError, ToolErrorKind},
};

/// Stop timeout of the suite's workers.
const STOP: Duration = Duration::from_millis(200);

/// Notes of the suite's tools, and the gates at which they wait. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Bench(Arc<Shared>);

#[derive(Default)]
struct Shared {
    notes: Mutex<Notes>,
    changed: Notify,
}

#[derive(Default)]
struct Notes {
    starts: HashMap<TaskId, u32>,
    /// Time at which the function of a task saw its token fire.
    heard: HashMap<TaskId, Instant>,
    open: HashSet<TaskId>,
    running: usize,
    most_running: usize,
}

impl Bench {
    /// Executor of a worker with the suite's tools.
    pub(super) fn executor(&self) -> Executor {
        let tools = [
            self.tool(
                "work",
                Effect::Read,
                |bench, _, cx| async move { bench.wait(&cx).await },
            ),
            self.tool("work_once", Effect::Once, |bench, _, cx| async move {
                bench.wait(&cx).await
            }),
            self.tool("deaf", Effect::Once, |_, _, _| std::future::pending()),
            self.tool("end", Effect::Read, |_, arguments, _| async move { end_of(arguments) }),
            self.tool("show", Effect::Read, |_, arguments, cx| async move {
                Ok(shown(arguments, &cx))
            }),
            self.tool("size", Effect::Read, |_, arguments, _| async move {
                Ok(json!(arguments["text"].as_str().map(str::len)))
            }),
            self.tool("fill", Effect::Read, |_, arguments, _| async move {
                let bytes = arguments["bytes"]
                    .as_u64()
                    .and_then(|bytes| usize::try_from(bytes).ok());
                Ok(json!("x".repeat(bytes.unwrap_or(0))))
            }),
            self.tool("tell", Effect::Read, |bench, arguments, cx| async move {
                for message in arguments["messages"].as_array().into_iter().flatten() {
                    cx.progress().message(message.as_str().unwrap_or_default());
                }
                bench.wait(&cx).await
            }),
        ];
        executor(tools)
    }

    /// Executor of a worker that has none of the suite's tools.
    pub(super) fn executor_without_tools() -> Executor {
        executor([])
    }

    /// Number of starts of a task.
    pub(super) fn starts(&self, task: TaskId) -> u32 {
        self.notes().starts.get(&task).copied().unwrap_or(0)
    }

    /// Waits until a task has started this often.
    pub(super) async fn started(&self, task: TaskId, starts: u32) {
        self.until(|notes| {
            notes
                .starts
                .get(&task)
                .is_some_and(|known| *known >= starts)
                .then_some(())
        })
        .await;
    }

    /// Waits until the function of a task has seen its token fire, and returns that time.
    pub(super) async fn heard(&self, task: TaskId) -> Instant {
        self.until(|notes| notes.heard.get(&task).copied()).await
    }

    /// Lets the function of a task return, in this run or a later one.
    pub(super) fn open(&self, task: TaskId) {
        self.notes().open.insert(task);
        self.0.changed.notify_waiters();
    }

    /// Number of functions that run, and the most that ran at once.
    pub(super) fn running(&self) -> (usize, usize) {
        let notes = self.notes();
        (notes.running, notes.most_running)
    }

    fn tool<F, Fut>(&self, name: &str, effect: Effect, run: F) -> FunctionTool
    where
        F: Fn(Self, Value, ToolContext) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Value, ToolError>> + Send + 'static,
    {
        let bench = self.clone();
        let definition = ToolDefinition::new(name, "A tool of the suite.", json!({"type": "object"}));
        let tool = FunctionTool::from_parts(definition, move |arguments| {
            let (bench, run, arguments) = (bench.clone(), run.clone(), arguments.value().clone());
            Ok(BoundCall::future(move |cx: ToolContext| async move {
                let _running = Running::begin(&bench, cx.task());
                run(bench.clone(), arguments, cx).await
            }))
        });
        tool.effect(effect).dedupe(Dedupe::Allow)
    }

    /// Waits until the suite opens the task, or the task is told to stop.
    async fn wait(&self, cx: &ToolContext) -> Result<Value, ToolError> {
        let task = cx.task();
        let opened = self.until(|notes| notes.open.contains(&task).then_some(()));
        tokio::select! {
            biased;
            () = opened => Ok(json!("opened")),
            () = cx.cancellation().cancelled() => {
                self.notes().heard.insert(task, Instant::now());
                self.0.changed.notify_waiters();
                Err(ToolError::failed("told to stop"))
            }
        }
    }

    async fn until<T>(&self, mut find: impl FnMut(&Notes) -> Option<T>) -> T {
        loop {
            // Registered before the look, or a change in between would be missed.
            let mut changed = pin!(self.0.changed.notified());
            changed.as_mut().enable();
            if let Some(found) = find(&self.notes()) {
                return found;
            }
            changed.await;
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A function that runs.
struct Running(Bench);

impl Running {
    fn begin(bench: &Bench, task: TaskId) -> Self {
        {
            let mut notes = bench.notes();
            *notes.starts.entry(task).or_default() += 1;
            notes.running += 1;
            notes.most_running = notes.most_running.max(notes.running);
        }
        bench.0.changed.notify_waiters();
        Self(bench.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.notes().running -= 1;
        self.0.0.changed.notify_waiters();
    }
}

fn executor(tools: impl IntoIterator<Item = FunctionTool>) -> Executor {
    let tools = tools.into_iter().map(Into::into);
    let manager = AsyncToolManager::builder().tools(tools).stop_timeout(STOP).build();
    let manager = manager.unwrap_or_else(|error| panic!("the suite's tools are valid: {error}"));
    manager.executor().clone()
}

/// End that the arguments say.
fn end_of(arguments: Value) -> Result<Value, ToolError> {
    match serde_json::from_value(arguments) {
        Ok(TaskOutcome::Completed(value)) => Ok(value),
        Ok(TaskOutcome::Failed(error)) => Err(error),
        Ok(TaskOutcome::Unknown(why) | TaskOutcome::Cancelled(why)) => Err(ToolError::new(ToolErrorKind::Unknown, why)),
        Err(error) => Err(ToolError::failed(error.to_string())),
    }
}

/// All that a function sees of its task.
fn shown(arguments: Value, cx: &ToolContext) -> Value {
    json!({
        "arguments": arguments,
        "task": cx.task(),
        "number": cx.number(),
        "session": cx.session(),
        "call": cx.call(),
        "key": cx.idempotency_key().to_string(),
        "attempt": cx.attempt(),
        "has_deadline": cx.deadline().is_some(),
    })
}
