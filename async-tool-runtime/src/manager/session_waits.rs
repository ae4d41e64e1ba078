//! Tasks whose functions wait for the agents of sessions.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::TaskCell;
use crate::session::SessionId;

/// Tasks whose functions wait for the agents of sessions.
#[derive(Default)]
pub(super) struct SessionWaits {
    /// Spares most calls the lock.
    count: AtomicUsize,
    waiting: Mutex<HashMap<SessionId, Vec<Weak<TaskCell>>>>,
}

impl SessionWaits {
    pub(super) fn of(&self, session: &SessionId) -> Vec<Arc<TaskCell>> {
        if self.count.load(Ordering::SeqCst) == 0 {
            return Vec::new();
        }
        let waiting = self.waiting();
        waiting
            .get(session)
            .into_iter()
            .flatten()
            .filter_map(Weak::upgrade)
            .collect()
    }

    pub(super) fn add(&self, session: &SessionId, cell: &Arc<TaskCell>) {
        self.count.fetch_add(1, Ordering::SeqCst);
        let mut waiting = self.waiting();
        waiting.entry(session.clone()).or_default().push(Arc::downgrade(cell));
    }

    pub(super) fn remove(&self, session: &SessionId, cell: &Arc<TaskCell>) {
        let mut waiting = self.waiting();
        if let Some(cells) = waiting.get_mut(session) {
            if let Some(at) = cells.iter().position(|known| known.as_ptr() == Arc::as_ptr(cell)) {
                cells.swap_remove(at);
            }
            if cells.is_empty() {
                waiting.remove(session);
            }
        }
        self.count.fetch_sub(1, Ordering::SeqCst);
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<SessionId, Vec<Weak<TaskCell>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
