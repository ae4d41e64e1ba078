//! Tools of closures, and calls of them.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AsyncTaskResult, AsyncToolManager, FunctionTool, SessionId, TaskHandle, ToolCall, ToolContext, ToolDefinition,
    ToolError, ToolErrorKind,
    task::{TaskSpec, Timestamp},
    tool::BoundCall,
};
use serde_json::{Value, json};
use tokio::time::Instant;

pub(crate) type Output = Result<Value, ToolError>;

/// A tool that takes any object, and does `run` with it.
pub(crate) fn tool_of<F, Fut>(name: &str, run: F) -> FunctionTool
where
    F: Fn(Value, ToolContext) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Output> + Send + 'static,
{
    FunctionTool::from_parts(definition(name), move |arguments| {
        let (run, arguments) = (run.clone(), arguments.value().clone());
        Ok(BoundCall::future(move |cx| run(arguments, cx)))
    })
}

/// A tool that does `run` with its context.
pub(crate) fn tool<F, Fut>(name: &str, run: F) -> FunctionTool
where
    F: Fn(ToolContext) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Output> + Send + 'static,
{
    tool_of(name, move |_, cx| run(cx))
}

/// A tool whose function blocks its thread.
pub(crate) fn blocking<F>(name: &str, run: F) -> FunctionTool
where
    F: Fn(ToolContext) -> Output + Clone + Send + Sync + 'static,
{
    FunctionTool::from_parts(definition(name), move |_| {
        let run = run.clone();
        Ok(BoundCall::blocking(run))
    })
}

/// A tool that ends at once.
pub(crate) fn quick() -> FunctionTool {
    tool("quick", |_| async { Ok(json!("done")) })
}

fn definition(name: &str) -> ToolDefinition {
    ToolDefinition::new(name, "A tool.", json!({"type": "object"}))
}

pub(crate) fn session() -> SessionId {
    SessionId::new("s")
}

pub(crate) fn call(tool: &str, arguments: Value) -> ToolCall {
    ToolCall::new("call_1", tool, arguments)
}

pub(crate) fn spec(tool: &str) -> TaskSpec {
    TaskSpec::new(session(), call(tool, json!({})))
}

/// Submits a call without arguments.
pub(crate) fn start(manager: &AsyncToolManager, tool: &str) -> TaskHandle {
    start_with(manager, tool, json!({}))
}

pub(crate) fn start_with(manager: &AsyncToolManager, tool: &str, arguments: Value) -> TaskHandle {
    start_in(manager, "s", tool, arguments)
}

pub(crate) fn start_in(manager: &AsyncToolManager, session: &str, tool: &str, arguments: Value) -> TaskHandle {
    let spec = TaskSpec::new(SessionId::new(session), call(tool, arguments));
    manager.submit_task(spec).unwrap()
}

/// Lets everybody go on until they wait. In paused time it is a millisecond later then.
pub(crate) async fn idle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

pub(crate) fn kind(result: &AsyncTaskResult) -> Option<ToolErrorKind> {
    result.outcome.error().map(ToolError::kind)
}

pub(crate) fn unavailable() -> ToolError {
    ToolError::new(ToolErrorKind::Unavailable, "down")
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The time at which a task was accepted, moved by `by`.
pub(crate) fn after(task: &TaskHandle, by: Duration) -> Timestamp {
    task.snapshot().accepted.after(by)
}

/// What tools write down while they run, with the time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log<T>(Arc<Mutex<Vec<(Instant, T)>>>);

impl<T: Clone> Log<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn note(&self, what: T) {
        self.0.lock().unwrap().push((Instant::now(), what));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.0.lock().unwrap().iter().map(|(_, what)| what.clone()).collect()
    }

    pub(crate) fn times(&self) -> Vec<Instant> {
        self.0.lock().unwrap().iter().map(|(at, _)| *at).collect()
    }
}

/// How many are in, and how many were at most.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crowd(Arc<(AtomicUsize, AtomicUsize)>);

/// Somebody who is in, until it is dropped.
pub(crate) struct Inside(Crowd);

impl Crowd {
    pub(crate) fn enter(&self) -> Inside {
        let now = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(now, Ordering::SeqCst);
        Inside(self.clone())
    }

    pub(crate) fn now(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    pub(crate) fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// All slots are back, nobody waits, and a task that comes now runs.
pub(crate) async fn is_at_rest(manager: &AsyncToolManager, what: &str) {
    // On several threads, an outcome is seen a moment before its task is off the list.
    let mut stats = manager.stats();
    for _ in 0..100_000 {
        if (stats.running, stats.waiting, stats.open) == (0, 0, 0) {
            break;
        }
        tokio::task::yield_now().await;
        stats = manager.stats();
    }
    assert_eq!(
        (stats.running, stats.waiting, stats.open),
        (0, 0, 0),
        "{what}: {stats:?}"
    );
    let next = manager.submit_task(spec("quick"));
    let next = next.unwrap_or_else(|refusal| panic!("{what}: {refusal}"));
    let result = tokio::time::timeout(secs(60), next.outcome()).await;
    let result = result.unwrap_or_else(|_| panic!("{what}: the next task does not run"));
    assert_eq!(result.outcome.value(), Some(&json!("done")), "{what}");
}
