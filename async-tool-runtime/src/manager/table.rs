//! The tasks a manager knows.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use crate::{TaskId, task::TaskCell};

/// All open tasks, and the last ones that have ended: a late question about a task is answered with what became of it.
pub(super) struct TaskTable {
    cells: HashMap<TaskId, Arc<TaskCell>>,
    settled: VecDeque<TaskId>,
    retained: usize,
}

impl TaskTable {
    pub(super) fn new(retained: usize) -> Self {
        Self {
            cells: HashMap::new(),
            settled: VecDeque::new(),
            retained,
        }
    }

    /// Adds a task; gives back the one that already has its id, if there is one.
    pub(super) fn insert(&mut self, cell: &Arc<TaskCell>) -> Option<Arc<TaskCell>> {
        use std::collections::hash_map::Entry;
        match self.cells.entry(cell.spec.task) {
            Entry::Occupied(known) => Some(Arc::clone(known.get())),
            Entry::Vacant(free) => {
                free.insert(Arc::clone(cell));
                None
            }
        }
    }

    pub(super) fn find(&self, task: TaskId) -> Option<Arc<TaskCell>> {
        self.cells.get(&task).cloned()
    }

    pub(super) fn forget(&mut self, task: TaskId) {
        self.cells.remove(&task);
    }

    /// Notes that a task has ended, and forgets the one that ended longest ago if there are too many.
    pub(super) fn retire(&mut self, task: TaskId) {
        self.settled.push_back(task);
        while self.settled.len() > self.retained {
            if let Some(oldest) = self.settled.pop_front() {
                self.cells.remove(&oldest);
            }
        }
    }

    pub(super) fn open_count(&self) -> usize {
        self.cells.len() - self.settled.len()
    }

    pub(super) fn open(&self) -> Vec<Arc<TaskCell>> {
        let mut open: Vec<_> = self
            .cells
            .values()
            .filter(|cell| !cell.result.initialized())
            .cloned()
            .collect();
        open.sort_by_key(|cell| cell.spec.task);
        open
    }
}
