//! How far the running tools are.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_tool_runtime::TaskId;

/// How far each task is; tools write it, and whoever draws progress bars reads it.
#[derive(Debug, Default)]
pub struct Meters(Mutex<HashMap<TaskId, Arc<Meter>>>);

impl Meters {
    /// The meter of a task; the same one each time.
    pub fn of(&self, task: TaskId) -> Arc<Meter> {
        let mut meters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(meters.entry(task).or_default())
    }

    /// Forgets a task that has ended.
    pub fn forget(&self, task: TaskId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&task);
    }
}

/// How far one task is, in files.
#[derive(Debug, Default)]
pub struct Meter {
    done: AtomicU64,
    total: AtomicU64,
}

impl Meter {
    /// Starts from nothing done.
    pub fn begin(&self, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    /// One more is done.
    pub fn advance(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// How much is done, of how much. The total is 0 until it is known.
    pub fn read(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }
}
