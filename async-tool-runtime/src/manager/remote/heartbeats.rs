//! Heartbeats of a task on a worker.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    backend::{Heartbeat, Heartbeats},
    manager::{ShownWait, TaskCell, Wait},
    task::WaitsFor,
};

/// A task whose heartbeats are published until it ends.
pub(super) struct Watched(Arc<Mutex<State>>);

struct State {
    cell: Arc<TaskCell>,
    /// Wait for a worker; over at the first start.
    wait: Option<ShownWait>,
    starts: u32,
    has_ended: bool,
}

impl Watched {
    pub(super) fn new(cell: &Arc<TaskCell>) -> Self {
        Self(Arc::new(Mutex::new(State {
            cell: Arc::clone(cell),
            wait: ShownWait::new(cell, Wait::For(WaitsFor::Worker)),
            starts: 0,
            has_ended: false,
        })))
    }

    /// Receiver for the engine. An engine that keeps it longer than the task does no harm.
    pub(super) fn heartbeats(&self) -> Heartbeats {
        let state = Arc::downgrade(&self.0);
        Heartbeats::new(move |heartbeat| {
            if let Some(state) = state.upgrade() {
                lock(&state).take(heartbeat);
            }
        })
    }

    /// Number of starts that the engine has told of.
    pub(super) fn starts(&self) -> u32 {
        lock(&self.0).starts
    }

    /// Ends the watch after this many attempts.
    pub(super) fn end(&self, attempts: u32) {
        let mut state = lock(&self.0);
        if attempts > 0 {
            // Told before the end, also by an engine without heartbeats.
            state.begin();
        }
        state.has_ended = true;
        state.wait = None;
        state.cell.set_attempts(attempts);
    }
}

impl Drop for Watched {
    /// Also runs when the task's future is dropped.
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        state.has_ended = true;
        state.wait = None;
    }
}

impl State {
    fn take(&mut self, heartbeat: Heartbeat) {
        if self.has_ended {
            return;
        }
        self.starts = self.starts.max(heartbeat.starts);
        if heartbeat.starts > 0 {
            self.begin();
        }
        let Some(host) = self.cell.manager() else { return };
        if let Some(report) = heartbeat.progress
            && self.cell.progress().as_ref() != Some(&report)
        {
            host.report(&self.cell, report);
        }
    }

    fn begin(&mut self) {
        self.wait = None;
        if self.cell.started().is_none()
            && let Some(host) = self.cell.manager()
        {
            host.begin(&self.cell);
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
