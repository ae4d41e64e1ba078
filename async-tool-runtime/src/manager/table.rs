//! The tasks a manager knows.

use std::{
    collections::{HashMap, VecDeque},
    hash::BuildHasherDefault,
    sync::Arc,
};

use crate::{TaskId, hash::QuickHasher, task::TaskCell};

/// All open tasks, and the last ones that have ended: a late question about a task is answered with what became of it.
pub(super) struct TaskTable {
    cells: HashMap<TaskId, Arc<TaskCell>, BuildHasherDefault<QuickHasher>>,
    settled: VecDeque<TaskId>,
    retained: usize,
    /// Whether new tasks are refused. Here, because a count of open tasks says nothing while more can come.
    closing: bool,
}

/// What became of a task that was to be added.
pub(super) enum Inserted {
    New,
    /// The task with its id was there already.
    Known(Arc<TaskCell>),
    Closing,
}

impl TaskTable {
    pub(super) fn new(retained: usize) -> Self {
        Self {
            cells: HashMap::default(),
            settled: VecDeque::new(),
            retained,
            closing: false,
        }
    }

    pub(super) fn insert(&mut self, cell: &Arc<TaskCell>) -> Inserted {
        use std::collections::hash_map::Entry;
        match self.cells.entry(cell.spec.task) {
            Entry::Occupied(known) => Inserted::Known(Arc::clone(known.get())),
            // What still drains may need others to end.
            Entry::Vacant(_) if self.closing && cell.spec.parent.is_none() => Inserted::Closing,
            Entry::Vacant(free) => {
                free.insert(Arc::clone(cell));
                Inserted::New
            }
        }
    }

    /// Refuses new tasks from now on.
    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    pub(super) fn find(&self, task: TaskId) -> Option<Arc<TaskCell>> {
        self.cells.get(&task).cloned()
    }

    pub(super) fn forget(&mut self, task: TaskId) {
        self.cells.remove(&task);
    }

    /// Notes that a task has ended, and gives back the one that ended longest ago if there are too many.
    #[must_use]
    pub(super) fn retire(&mut self, task: TaskId) -> Option<Arc<TaskCell>> {
        self.settled.push_back(task);
        if self.settled.len() <= self.retained {
            return None;
        }
        self.cells.remove(&self.settled.pop_front()?)
    }

    pub(super) fn open_count(&self) -> usize {
        self.cells.len() - self.settled.len()
    }

    /// How many tasks have not ended: unlike [`open_count`](Self::open_count), without those that are just being taken out. Looks at
    /// every task.
    pub(super) fn unsettled_count(&self) -> usize {
        self.cells.values().filter(|cell| !cell.is_settled()).count()
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
