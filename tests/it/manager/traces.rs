//! Tasks in the host's traces, here and on a worker.

use std::sync::{Arc, Mutex};

use async_tool_runtime::{
    AsyncToolManager, CancellationToken, SessionId, TaskId, ToolError, ToolErrorKind,
    backend::{Backend, BackendCapabilities, BackendError, CancelMode, Heartbeats, Settlement},
    future::BoxFuture,
    manager::Executor,
    task::TaskSpec,
};
use serde_json::json;

use crate::stand::{NotedTraces, Notes, call, session, tool};

/// An engine whose tasks travel as JSON text.
struct Engine {
    worker: Executor,
    sent: Arc<Mutex<Vec<String>>>,
}

impl Backend for Engine {
    fn submit(&self, task: TaskSpec) -> BoxFuture<'_, Result<(), BackendError>> {
        self.sent.lock().unwrap().push(serde_json::to_string(&task).unwrap());
        Box::pin(async { Ok(()) })
    }

    fn outcome(&self, _: TaskId, _: Heartbeats) -> BoxFuture<'_, Result<Settlement, BackendError>> {
        let text = self.sent.lock().unwrap().last().unwrap().clone();
        Box::pin(async move {
            let spec: TaskSpec = serde_json::from_str(&text).unwrap();
            Ok(self.worker.execute(&spec, 0, CancellationToken::new()).await.unwrap())
        })
    }

    fn cancel<'a>(&'a self, _: TaskId, _: CancelMode, _: &'a str) -> BoxFuture<'a, Result<(), BackendError>> {
        Box::pin(async { Ok(()) })
    }

    fn open_tasks<'a>(&'a self, _: &'a SessionId) -> BoxFuture<'a, Result<Vec<TaskId>, BackendError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn capabilities(&self) -> BackendCapabilities {
        BackendCapabilities::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_goes_on_in_the_trace_of_the_call() {
    let _listening = Notes::listen();
    let build = || {
        let fails = tool("fails", |_| async {
            Err(ToolError::new(ToolErrorKind::Timeout, "too late"))
        });
        AsyncToolManager::builder().tool(fails)
    };
    let worker = build().propagator(NotedTraces::start()).build().unwrap();
    let sent = Arc::<Mutex<Vec<String>>>::default();
    let engine = Engine {
        worker: worker.executor().clone(),
        sent: Arc::clone(&sent),
    };
    let manager = build().backend(engine).propagator(NotedTraces).build().unwrap();
    let request = TaskSpec::new(session(), call("fails", json!({}))).with_traceparent("request 7");
    let result = manager.submit_task(request).unwrap().outcome().await;

    assert_eq!(result.traceparent.as_deref(), Some("execute_tool 1"));
    let spec: TaskSpec = serde_json::from_str(&sent.lock().unwrap()[0]).unwrap();
    assert_eq!(spec.traceparent.as_deref(), Some("execute_tool 1"));
    let notes = Notes::taken();
    let place = |of: &str| {
        let place = notes.iter().position(|note| note.starts_with(of));
        place.unwrap_or_else(|| panic!("{of}\n in {notes:#?}"))
    };
    assert_eq!(place("continues request 7 {") + 1, place("execute_tool: begins"));
    let worker = place("continues execute_tool 1 {");
    assert!(
        notes[worker + 1].contains("execute_tool.run: begins otel.name=execute_tool.run fails"),
        "{notes:#?}"
    );
    let has_error = |note: &String| note.contains("execute_tool.run: has error.type=\"timeout\"");
    assert!(notes.iter().any(has_error), "{notes:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_task_without_a_context_and_without_a_propagator_travels_as_before() {
    let spec = TaskSpec::new(session(), call("fails", json!({})));
    assert!(!serde_json::to_string(&spec).unwrap().contains("traceparent"));
    let manager = AsyncToolManager::builder()
        .tool(tool("works", |_| async { Ok(json!(1)) }))
        .build()
        .unwrap();
    let spec = TaskSpec::new(session(), call("works", json!({}))).with_traceparent("request 7");
    let result = manager.submit_task(spec).unwrap().outcome().await;
    assert_eq!(result.traceparent, None);
}
