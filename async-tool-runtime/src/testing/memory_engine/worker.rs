//! Worker of the engine in memory.

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    task::{JoinHandle, JoinSet},
    time::sleep_until,
};

use super::{
    engine::{MemoryEngine, read},
    link::Link,
    state::{Lease, PAUSE},
};
use crate::{
    backend::Heartbeat,
    manager::Executor,
    task::TaskSpec,
    testing::backend_suite::{BackendEngine, BackendWorker},
    tool::CancellationToken,
};

/// Time after which the engine gives out the tasks of a lost worker again.
const LOST_AFTER: Duration = Duration::from_millis(50);

/// Worker of a [`MemoryEngine`], made with [`MemoryEngine::worker`]. Dropping it kills it.
///
/// ```
/// use async_tool_runtime::{AsyncToolManager, testing::MemoryEngine};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = MemoryEngine::new();
/// let manager = AsyncToolManager::builder().build()?;
/// let worker = engine.worker(manager.executor().clone(), 8);
/// worker.stop().await; // As at a deploy: its tasks go to other workers, or run to their ends.
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MemoryWorker {
    engine: MemoryEngine,
    stop: CancellationToken,
    leases: Leases,
    /// `None` once the worker is stopped.
    work: Option<JoinHandle<()>>,
}

/// Runs of a worker that have not ended.
type Leases = Arc<Mutex<Vec<Lease>>>;

impl MemoryEngine {
    /// Starts a worker with this many slots. It sets the executor's stop token and payload.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use = "a worker that is dropped is killed"]
    pub fn worker(&self, executor: Executor, slots: usize) -> MemoryWorker {
        MemoryWorker::start(self.clone(), executor, slots)
    }
}

impl BackendEngine for MemoryEngine {
    type Backend = Self;
    type Worker = MemoryWorker;

    async fn connect(&self) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(self.clone())
    }

    async fn work(&self, executor: Executor, slots: usize) -> Result<MemoryWorker, Box<dyn Error + Send + Sync>> {
        Ok(self.worker(executor, slots))
    }
}

impl MemoryWorker {
    fn start(engine: MemoryEngine, executor: Executor, slots: usize) -> Self {
        let stop = CancellationToken::new();
        let most = engine.0.capabilities.max_payload;
        let executor = executor.stopping_on(stop.clone());
        let executor = match most {
            Some(most) => executor.max_payload(most),
            None => executor,
        };
        let leases = Leases::default();
        let work = work(engine.clone(), executor, slots, stop.clone(), Arc::clone(&leases));
        Self {
            engine,
            stop,
            leases,
            work: Some(tokio::spawn(work)),
        }
    }

    /// Stops the worker as at a deploy. Returns when its tasks have been handed back, or have ended.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(work) = self.work.take() {
            let _it_may_have_panicked = work.await;
        }
    }

    /// Kills the worker: its tasks are dropped without a word, and the engine gives them out again a little later.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for MemoryWorker {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        work.abort();
        let lost = std::mem::take(&mut *self.leases.lock().unwrap_or_else(PoisonError::into_inner));
        self.engine.change(|state| {
            for lease in &lost {
                state.put_back(lease, LOST_AFTER);
            }
        });
    }
}

impl BackendWorker for MemoryWorker {
    async fn stop(self) {
        Self::stop(self).await;
    }

    async fn kill(self) {
        Self::kill(self);
    }
}

async fn work(engine: MemoryEngine, executor: Executor, slots: usize, stop: CancellationToken, leases: Leases) {
    // Dropping it with this future drops all runs.
    let mut runs = JoinSet::new();
    while !stop.is_cancelled() {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            Some(_ended) = runs.join_next(), if !runs.is_empty() => {}
            lease = next(&engine, &leases), if runs.len() < slots => {
                runs.spawn(run(engine.clone(), executor.clone(), lease, Arc::clone(&leases)));
            }
        }
    }
    while runs.join_next().await.is_some() {}
}

/// Takes the next task. Cancel safe.
async fn next(engine: &MemoryEngine, leases: &Leases) -> Lease {
    loop {
        let mut due = None;
        let taken = engine.wait_for(|state| {
            if state.is_cut_off {
                return None;
            }
            match state.take() {
                Ok(lease) => {
                    leases
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(lease.clone());
                    Some(Some(lease))
                }
                Err(None) => None,
                Err(later) => {
                    due = later;
                    Some(None)
                }
            }
        });
        if let Some(lease) = taken.await {
            return lease;
        }
        if let Some(due) = due {
            let change = engine.0.changed.notified();
            tokio::select! {
                () = sleep_until(due) => {}
                () = change => {}
            }
        }
    }
}

async fn run(engine: MemoryEngine, executor: Executor, lease: Lease, leases: Leases) {
    let found = engine.change(|state| {
        let record = state.leased(&lease)?;
        Some((record.text.clone(), record.heartbeat.clone()))
    });
    // Aborted meanwhile.
    let Some((text, heartbeat)) = found else { return };
    let Ok(task) = read::<TaskSpec>(&text) else { return };
    let known = heartbeat.and_then(|text| read::<Heartbeat>(&text).ok());
    let starts = known.unwrap_or_default().starts;
    let link = Arc::new(Link {
        engine: engine.clone(),
        lease: lease.clone(),
    });
    let ended = executor.execute_linked(&task, starts, lease.token.clone(), link).await;
    let end = ended.ok().and_then(|end| serde_json::to_string(&end).ok());
    // Kept until the engine can be reached.
    engine.wait_for(|state| (!state.is_cut_off).then_some(())).await;
    engine.change(|state| match end {
        Some(end) => state.end(&lease, end),
        None => state.put_back(&lease, PAUSE),
    });
    leases
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .retain(|known| known.run != lease.run);
}
