//! Backends that run tasks elsewhere.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AsyncToolManager, CancellationToken, SessionId, TaskId, TaskOutcome, TaskStatus, ToolError, ToolErrorKind,
    backend::{Backend, BackendCapabilities, BackendError, CancelMode, Settlement},
    future::BoxFuture,
    manager::Executor,
    task::{TaskSpec, Timestamp},
    testing::Gates,
};
use serde_json::json;

use crate::stand::{call, gate, session, tool};

/// An engine elsewhere: tasks travel as JSON text to a worker with a manager of its own.
struct Engine {
    worker: Executor,
    store: Mutex<std::collections::HashMap<TaskId, (String, CancellationToken)>>,
}

impl Backend for Engine {
    fn submit(&self, task: TaskSpec) -> BoxFuture<'_, Result<(), BackendError>> {
        let id = task.task;
        let text = serde_json::to_string(&task).unwrap();
        self.store
            .lock()
            .unwrap()
            .entry(id)
            .or_insert((text, CancellationToken::new()));
        Box::pin(async { Ok(()) })
    }

    fn outcome(&self, task: TaskId) -> BoxFuture<'_, Result<Settlement, BackendError>> {
        let stored = self.store.lock().unwrap().get(&task).cloned();
        Box::pin(async move {
            let (text, cancellation) = stored.ok_or_else(|| BackendError::new("no such task"))?;
            let spec: TaskSpec = serde_json::from_str(&text).unwrap();
            Ok(Settlement::new(self.worker.execute(&spec, cancellation).await, 1))
        })
    }

    fn cancel(&self, task: TaskId, _: CancelMode) -> BoxFuture<'_, Result<(), BackendError>> {
        if let Some((_, cancellation)) = self.store.lock().unwrap().get(&task) {
            cancellation.cancel();
        }
        Box::pin(async { Ok(()) })
    }

    fn open_tasks<'a>(&'a self, _: &'a SessionId) -> BoxFuture<'a, Result<Vec<TaskId>, BackendError>> {
        Box::pin(async { Ok(self.store.lock().unwrap().keys().copied().collect()) })
    }

    fn capabilities(&self) -> BackendCapabilities {
        BackendCapabilities::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_runs_tasks_elsewhere_with_the_same_outcomes() {
    let gates = Gates::new();
    let build = || {
        AsyncToolManager::builder()
            .tool(gates.tool())
            .tool(tool("deaf", |_| std::future::pending()))
    };
    let engine = Engine {
        worker: build().build().unwrap().executor().clone(),
        store: Mutex::default(),
    };
    let manager = build().backend(engine).build().unwrap();

    let task = manager.submit(&session(), gate("a")).unwrap();
    gates.open("a", json!("from afar"));
    let result = task.outcome().await;
    assert_eq!(result.outcome.value(), Some(&json!("from afar")));
    assert_eq!(result.attempts, 1);

    let task = manager.submit(&session(), call("deaf", json!({}))).unwrap();
    tokio::task::yield_now().await;
    manager.cancel(task.id(), "come home");
    let result = task.outcome().await;
    assert_eq!(result.outcome, TaskOutcome::Cancelled("come home".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_task_of_a_backend_can_be_completed_from_outside() {
    let build = || AsyncToolManager::builder().tool(tool("deaf", |_| std::future::pending()));
    let engine = Engine {
        worker: build().build().unwrap().executor().clone(),
        store: Mutex::default(),
    };
    let manager = build().backend(engine).build().unwrap();
    let task = manager.submit(&session(), call("deaf", json!({}))).unwrap();
    tokio::task::yield_now().await;
    manager.resolve(task.id(), json!("by phone")).unwrap();
    let result = task.outcome().await;
    assert_eq!(result.outcome.value(), Some(&json!("by phone")));
}

#[tokio::test(start_paused = true)]
async fn a_task_does_not_outrun_the_deadline_that_travels_with_it() {
    let manager = AsyncToolManager::builder()
        .tool(tool("deaf", |_| std::future::pending()))
        .build()
        .unwrap();
    let spec = TaskSpec::new(session(), call("deaf", json!({}))).with_deadline(Timestamp::from_millis(1));
    let result = manager.submit_task(spec).unwrap().outcome().await;
    assert_eq!(
        result.outcome.error().map(ToolError::kind),
        Some(ToolErrorKind::Timeout)
    );
}

/// A backend that never gives an outcome.
#[derive(Default)]
struct Silent {
    hangs: bool,
    panics: bool,
    refusals: AtomicUsize,
    cancels: Arc<Mutex<Vec<CancelMode>>>,
}

impl Backend for Silent {
    fn submit(&self, _: TaskSpec) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(async move {
            assert!(!self.panics, "a backend with a bug");
            if self.hangs {
                std::future::pending::<()>().await;
            }
            let refuses = self
                .refusals
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            match refuses {
                Ok(_) => Err(BackendError::new("no connection")),
                Err(_) => Ok(()),
            }
        })
    }

    fn outcome(&self, _: TaskId) -> BoxFuture<'_, Result<Settlement, BackendError>> {
        Box::pin(std::future::pending())
    }

    fn cancel(&self, _: TaskId, mode: CancelMode) -> BoxFuture<'_, Result<(), BackendError>> {
        self.cancels.lock().unwrap().push(mode);
        Box::pin(async { Ok(()) })
    }

    fn open_tasks<'a>(&'a self, _: &'a SessionId) -> BoxFuture<'a, Result<Vec<TaskId>, BackendError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn capabilities(&self) -> BackendCapabilities {
        BackendCapabilities::default()
    }
}

fn on(backend: Silent) -> async_tool_runtime::TaskHandle {
    let manager = AsyncToolManager::builder()
        .tool(Gates::new().tool())
        .backend(backend)
        .build()
        .unwrap();
    manager.submit_task(TaskSpec::new(session(), gate("a"))).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_backend_hears_of_every_cancellation_and_can_not_hold_a_task_up() {
    let cancels = Arc::<Mutex<Vec<CancelMode>>>::default();
    let silent = || Silent {
        cancels: Arc::clone(&cancels),
        ..Silent::default()
    };
    let task = on(silent());
    tokio::task::yield_now().await;
    task.cancel("enough");
    let outcome = task.outcome().await.outcome.clone();
    assert!(
        matches!(outcome, TaskOutcome::Unknown(_)),
        "its effect is unknown: {outcome:?}"
    );
    assert_eq!(
        std::mem::take(&mut *cancels.lock().unwrap()),
        [CancelMode::Cancel, CancelMode::Abort]
    );

    let task = on(silent());
    tokio::task::yield_now().await;
    task.abort("now");
    assert_eq!(task.outcome().await.outcome, TaskOutcome::Cancelled("now".to_owned()));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(*cancels.lock().unwrap(), [CancelMode::Abort]);

    let task = on(Silent {
        hangs: true,
        ..silent()
    });
    tokio::task::yield_now().await;
    task.cancel("enough");
    let outcome = task.outcome().await.outcome.clone();
    assert!(
        matches!(outcome, TaskOutcome::Unknown(_)),
        "it may have been taken: {outcome:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_takes_no_task_is_asked_again_and_then_nothing_is_claimed() {
    let in_passing = on(Silent {
        refusals: 2.into(),
        ..Silent::default()
    });
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(in_passing.status(), TaskStatus::Running);

    let for_good = on(Silent {
        refusals: usize::MAX.into(),
        ..Silent::default()
    });
    let outcome = for_good.outcome().await.outcome.clone();
    assert!(
        matches!(outcome, TaskOutcome::Unknown(_)),
        "its effect must not happen twice: {outcome:?}"
    );

    let broken = on(Silent {
        panics: true,
        ..Silent::default()
    });
    let outcome = broken.outcome().await.outcome.clone();
    assert_eq!(outcome.error().map(ToolError::kind), Some(ToolErrorKind::Panicked));
}
