//! Backends that panic: the tool isn't blamed, and a task that may run isn't said to have ended.

use async_tool_runtime::{
    AsyncToolManager, SessionId, TaskId, TaskOutcome, ToolErrorKind,
    backend::{Backend, BackendCapabilities, BackendError, CancelMode, Heartbeats, Settlement},
    future::BoxFuture,
    task::TaskSpec,
    tool::Effect,
};

use super::distant;
use crate::stand::{StubBackend, idle, spec};

/// Backend with a bug in one operation, `at_once` or when it is waited for.
struct Buggy {
    stub: StubBackend,
    operation: &'static str,
    at_once: bool,
}

impl Buggy {
    fn run<'a, T>(&self, operation: &'static str, run: BoxFuture<'a, T>) -> BoxFuture<'a, T>
    where
        T: 'a,
    {
        let panics = self.operation == operation;
        assert!(!(panics && self.at_once), "hunter2");
        Box::pin(async move {
            assert!(!panics, "hunter2");
            run.await
        })
    }
}

impl Backend for Buggy {
    fn submit(&self, task: TaskSpec) -> BoxFuture<'_, Result<(), BackendError>> {
        self.run("submit", self.stub.submit(task))
    }

    fn outcome(&self, task: TaskId, heartbeats: Heartbeats) -> BoxFuture<'_, Result<Settlement, BackendError>> {
        self.run("outcome", self.stub.outcome(task, heartbeats))
    }

    fn cancel<'a>(&'a self, task: TaskId, mode: CancelMode, why: &'a str) -> BoxFuture<'a, Result<(), BackendError>> {
        self.run("cancel", self.stub.cancel(task, mode, why))
    }

    fn open_tasks<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Vec<TaskId>, BackendError>> {
        self.stub.open_tasks(session)
    }

    fn capabilities(&self) -> BackendCapabilities {
        self.stub.capabilities()
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_of_a_backend_that_panics_is_unknown_unless_it_can_be_repeated() {
    for at_once in [false, true] {
        for (operation, effect, is_unknown) in [
            ("submit", Effect::Once, true),
            ("submit", Effect::Read, false),
            ("outcome", Effect::Once, true),
            ("outcome", Effect::Read, true),
            ("cancel", Effect::Once, true),
            ("cancel", Effect::Read, true),
        ] {
            let backend = Buggy {
                stub: StubBackend::default(),
                operation,
                at_once,
            };
            let manager = AsyncToolManager::builder().tool(distant(effect)).backend(backend);
            let task = manager.build().unwrap().submit_task(spec("distant")).unwrap();
            idle().await;
            task.cancel("enough");
            let outcome = task.outcome().await.outcome.clone();
            match &outcome {
                TaskOutcome::Unknown(why) => assert!(is_unknown && !why.contains("hunter2"), "{operation}: {why}"),
                TaskOutcome::Failed(error) => {
                    assert!(!is_unknown, "{operation}, {effect:?}: {error}");
                    assert_eq!(error.kind(), ToolErrorKind::Internal);
                    assert!(!error.model_message().contains("hunter2"), "{operation}");
                }
                other => panic!("{operation}, {effect:?}: {other:?}"),
            }
        }
    }
}
