//! A backend without workers, whose answers a test sets.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    SessionId, TaskId, TaskOutcome,
    backend::{
        Backend, BackendCapabilities, BackendError, BackendErrorKind, CancelMode, Heartbeat, Heartbeats, Settlement,
    },
    future::BoxFuture,
    task::TaskSpec,
};
use tokio::sync::watch;

/// Backend that keeps every task, and ends it when the test says so. Clones share all of it.
#[derive(Clone, Default)]
pub(crate) struct StubBackend(Arc<Shared>);

#[derive(Default)]
struct Shared {
    capabilities: BackendCapabilities,
    /// Failure of the operations; `None`: they succeed.
    failure: watch::Sender<Option<BackendErrorKind>>,
    /// True if no submit ever returns.
    hangs: bool,
    end: watch::Sender<Option<Settlement>>,
    submits: AtomicUsize,
    outcomes: AtomicUsize,
    submitted: Mutex<Vec<TaskSpec>>,
    cancels: Mutex<Vec<(CancelMode, String)>>,
    heartbeats: Mutex<Vec<Heartbeats>>,
}

impl StubBackend {
    pub(crate) fn with(capabilities: BackendCapabilities) -> Self {
        Self(Arc::new(Shared {
            capabilities,
            ..Shared::default()
        }))
    }

    /// A backend whose submits never return.
    pub(crate) fn hanging() -> Self {
        Self(Arc::new(Shared {
            hangs: true,
            ..Shared::default()
        }))
    }

    /// Makes all operations fail from now on, also those that wait; `None` ends that.
    pub(crate) fn fail(&self, how: Option<BackendErrorKind>) {
        self.0.failure.send_replace(how);
    }

    /// Makes all operations fail for this long.
    pub(crate) fn be_out_for(&self, time: Duration) {
        self.fail(Some(BackendErrorKind::Unreachable));
        let stub = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            stub.fail(None);
        });
    }

    /// Ends all tasks.
    pub(crate) fn end(&self, outcome: TaskOutcome, attempts: u32) {
        self.0.end.send_replace(Some(Settlement::new(outcome, attempts)));
    }

    pub(crate) fn beat(&self, heartbeat: &Heartbeat) {
        let all = self.0.heartbeats.lock().unwrap().clone();
        all.iter().for_each(|heartbeats| heartbeats.tell(heartbeat.clone()));
    }

    pub(crate) fn submits(&self) -> usize {
        self.0.submits.load(Ordering::SeqCst)
    }

    pub(crate) fn outcomes(&self) -> usize {
        self.0.outcomes.load(Ordering::SeqCst)
    }

    /// Tasks that were taken.
    pub(crate) fn submitted(&self) -> Vec<TaskSpec> {
        self.0.submitted.lock().unwrap().clone()
    }

    /// Cancellations that were taken, with their reasons.
    pub(crate) fn cancels(&self) -> Vec<(CancelMode, String)> {
        self.0.cancels.lock().unwrap().clone()
    }

    fn failure(&self) -> Option<BackendError> {
        Some(match (*self.0.failure.borrow())? {
            BackendErrorKind::NotFound => BackendError::not_found("no such task"),
            BackendErrorKind::Refused => BackendError::refused("no permission"),
            _ => BackendError::unreachable("no connection"),
        })
    }

    async fn failing(&self) -> BackendError {
        let mut failure = self.0.failure.subscribe();
        let _the_stub_has_the_sender = failure.wait_for(Option::is_some).await;
        self.failure()
            .unwrap_or_else(|| BackendError::unreachable("no connection"))
    }
}

impl Backend for StubBackend {
    fn submit(&self, task: TaskSpec) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(async move {
            self.0.submits.fetch_add(1, Ordering::SeqCst);
            if self.0.hangs {
                std::future::pending::<()>().await;
            }
            match self.failure() {
                Some(error) => Err(error),
                None => {
                    self.0.submitted.lock().unwrap().push(task);
                    Ok(())
                }
            }
        })
    }

    fn outcome(&self, _: TaskId, heartbeats: Heartbeats) -> BoxFuture<'_, Result<Settlement, BackendError>> {
        Box::pin(async move {
            self.0.outcomes.fetch_add(1, Ordering::SeqCst);
            self.0.heartbeats.lock().unwrap().push(heartbeats);
            let mut end = self.0.end.subscribe();
            tokio::select! {
                biased;
                error = self.failing() => Err(error),
                end = end.wait_for(Option::is_some) => Ok(end.unwrap().clone().unwrap()),
            }
        })
    }

    fn cancel<'a>(&'a self, _: TaskId, mode: CancelMode, reason: &'a str) -> BoxFuture<'a, Result<(), BackendError>> {
        Box::pin(async move {
            if let Some(error) = self.failure() {
                return Err(error);
            }
            self.0.cancels.lock().unwrap().push((mode, reason.to_owned()));
            Ok(())
        })
    }

    fn open_tasks<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Vec<TaskId>, BackendError>> {
        let open = self.submitted().into_iter().filter(|task| task.session == *session);
        let open = open.map(|task| task.task).collect();
        Box::pin(async { Ok(open) })
    }

    fn capabilities(&self) -> BackendCapabilities {
        self.0.capabilities
    }
}
