//! An engine in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use super::state::{State, Submitted};
use crate::{
    backend::{Backend, BackendCapabilities, BackendError, CancelMode, Heartbeats, Settlement},
    future::BoxFuture,
    id::TaskId,
    session::SessionId,
    task::TaskSpec,
};

/// Engine in memory, with workers in this process: a [`Backend`] for tests of your own tools and agents, and an example for
/// authors of backends. It keeps the rules of [`BackendSuite`](crate::testing::BackendSuite).
///
/// Tasks, ends and heartbeats travel as JSON. Clones are the same engine. Its tasks end with the process.
///
/// ```
/// use async_tool_runtime::testing::{MemoryEngine, run_paused};
/// use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tools};
/// use serde_json::json;
/// use std::time::Duration;
///
/// /// Counts the stars of a galaxy.
/// #[async_tool(effect = "read")]
/// async fn count_stars(galaxy: String) -> usize {
///     tokio::time::sleep(Duration::from_secs(60)).await;
///     galaxy.len()
/// }
///
/// # run_paused(async { // #[tokio::test(start_paused = true)]
/// let engine = MemoryEngine::new();
/// let worker = AsyncToolManager::builder().tools(tools![count_stars]).build()?;
/// let first = engine.worker(worker.executor().clone(), 8);
///
/// let manager = AsyncToolManager::builder().tools(tools![count_stars]).backend(engine.clone()).build()?;
/// let call = ToolCall::new("call_1", "count_stars", json!({"galaxy": "andromeda"}));
/// let task = manager.submit(&SessionId::new("s"), call)?;
///
/// // The worker is lost in the middle, and another one comes.
/// tokio::time::sleep(Duration::from_secs(30)).await;
/// first.kill();
/// let _second = engine.worker(worker.executor().clone(), 8);
/// let result = task.outcome().await;
/// assert_eq!((result.outcome.value(), result.attempts), (Some(&json!(9)), 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct MemoryEngine(pub(super) Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Notified at each change of the state.
    pub(super) changed: Notify,
    pub(super) capabilities: BackendCapabilities,
}

impl MemoryEngine {
    /// Engine without tasks. It carries 2 MiB, and keeps tasks for as long as the process lives.
    #[must_use]
    pub fn new() -> Self {
        let most = 2 * 1024 * 1024;
        Self::with_capabilities(BackendCapabilities::default().with_durable(true).with_max_payload(most))
    }

    /// Engine without tasks that has these capabilities. It forgets ended tasks after the retention.
    #[must_use]
    pub fn with_capabilities(capabilities: BackendCapabilities) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            changed: Notify::new(),
            capabilities,
        }))
    }

    /// Begins or ends an outage. While the engine can't be reached, agents get errors, and workers take no tasks and keep
    /// the ends of those that they have.
    pub fn set_reachable(&self, is_reachable: bool) {
        self.change(|state| state.is_cut_off = !is_reachable);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that could panic runs under this lock.
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(retention) = self.0.capabilities.retention {
            state.forget(retention);
        }
        state
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.0.changed.notify_waiters();
        changed
    }

    /// Waits until `find` finds something.
    pub(super) async fn wait_for<T>(&self, mut find: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            // Registered before the look, or a change in between would be missed.
            let mut changed = std::pin::pin!(self.0.changed.notified());
            changed.as_mut().enable();
            if let Some(found) = find(&mut self.state()) {
                return found;
            }
            changed.await;
        }
    }

    /// Changes the state for an agent.
    pub(super) fn for_agent<T>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        self.change(|state| {
            if state.is_cut_off {
                return Err(cut_off());
            }
            change(state)
        })
    }
}

impl Default for MemoryEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl Backend for MemoryEngine {
    fn submit(&self, task: TaskSpec) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(async move {
            let text = serde_json::to_string(&task);
            let text = text.map_err(|error| BackendError::refused("the task is no JSON").with_source(error))?;
            let most = self.0.capabilities.max_payload.unwrap_or(usize::MAX);
            if text.len() > most {
                return Err(BackendError::refused(format!(
                    "the task has {} bytes, and the engine carries at most {most}",
                    text.len()
                )));
            }
            self.for_agent(|state| {
                state.submit(Submitted {
                    id: task.task,
                    session: task.session,
                    text,
                });
                Ok(())
            })
        })
    }

    fn outcome(&self, task: TaskId, heartbeats: Heartbeats) -> BoxFuture<'_, Result<Settlement, BackendError>> {
        Box::pin(async move {
            let mut told = None;
            loop {
                let found = self.wait_for(|state| {
                    if state.is_cut_off {
                        return Some(Err(cut_off()));
                    }
                    let Some(record) = state.record(task) else {
                        return Some(Err(BackendError::not_found("the engine has no such task")));
                    };
                    let is_news = record.heartbeat != told && record.heartbeat.is_some();
                    (is_news || record.end.is_some()).then(|| Ok((record.heartbeat.clone(), record.end.clone())))
                });
                let (heartbeat, end) = found.await?;
                if let Some(text) = heartbeat.clone().filter(|_| heartbeat != told) {
                    heartbeats.tell(read(&text)?);
                }
                told = heartbeat;
                if let Some(text) = end {
                    return read(&text);
                }
            }
        })
    }

    fn cancel<'a>(
        &'a self,
        task: TaskId,
        mode: CancelMode,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), BackendError>> {
        Box::pin(async move {
            self.for_agent(|state| {
                state.cancel(task, mode, reason);
                Ok(())
            })
        })
    }

    fn open_tasks<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Vec<TaskId>, BackendError>> {
        Box::pin(async move { self.for_agent(|state| Ok(state.open_tasks(session))) })
    }

    fn capabilities(&self) -> BackendCapabilities {
        self.0.capabilities
    }
}

fn cut_off() -> BackendError {
    BackendError::unreachable("the engine in memory is cut off")
}

pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, BackendError> {
    serde_json::from_str(text).map_err(|error| BackendError::refused("the engine has no JSON").with_source(error))
}
