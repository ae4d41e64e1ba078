//! Tasks that a manager knows.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::Arc,
};

use super::TaskCell;
use crate::id::TaskId;

/// All open tasks, and the last ended ones for late questions.
pub(super) struct TaskTable {
    cells: HashMap<TaskId, Arc<TaskCell>>,
    settled: VecDeque<TaskId>,
    retained: usize,
    /// Tasks accepted so far.
    accepted: u64,
    /// True if new tasks are refused. Kept here, because the count of open tasks is final only under the same lock.
    closing: bool,
}

/// Outcome of adding a task.
pub(super) enum Inserted {
    New,
    /// A task with the same id is known.
    Known(Arc<TaskCell>),
    Closing,
}

impl TaskTable {
    pub(super) fn new(retained: usize) -> Self {
        Self {
            cells: HashMap::new(),
            settled: VecDeque::new(),
            retained,
            accepted: 0,
            closing: false,
        }
    }

    /// Adds a task, as a child of `owner` if given.
    pub(super) fn insert(&mut self, cell: &Arc<TaskCell>, owner: Option<&Arc<TaskCell>>) -> Inserted {
        // An open task may need child tasks to end.
        if self.closing && owner.is_none() && !self.is_below_open(cell) {
            return self.find(cell.spec.task).map_or(Inserted::Closing, Inserted::Known);
        }
        match self.cells.entry(cell.spec.task) {
            Entry::Occupied(known) => Inserted::Known(Arc::clone(known.get())),
            Entry::Vacant(free) => {
                free.insert(Arc::clone(cell));
                self.accepted += 1;
                Inserted::New
            }
        }
    }

    /// True if the parent of a task is open. A host may write any id as parent.
    fn is_below_open(&self, cell: &TaskCell) -> bool {
        let parent = cell.spec.parent.and_then(|parent| self.cells.get(&parent));
        parent.is_some_and(|parent| !parent.is_settled())
    }

    /// Refuses new tasks from now on.
    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    pub(super) fn find(&self, task: TaskId) -> Option<Arc<TaskCell>> {
        self.cells.get(&task).cloned()
    }

    /// Removes a task that was added but not accepted.
    pub(super) fn withdraw(&mut self, task: TaskId) {
        if self.cells.remove(&task).is_some() {
            self.accepted -= 1;
        }
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Records that a task has ended; returns the task that ended longest ago if too many are kept.
    #[must_use]
    pub(super) fn retire(&mut self, task: TaskId) -> Option<Arc<TaskCell>> {
        self.settled.push_back(task);
        if self.settled.len() <= self.retained {
            return None;
        }
        self.cells.remove(&self.settled.pop_front()?)
    }

    /// Removes a task that has been retired; false if it has not been yet.
    pub(super) fn forget(&mut self, task: TaskId) -> bool {
        if !self.cells.contains_key(&task) {
            return true;
        }
        let Some(place) = self.settled.iter().rposition(|known| *known == task) else {
            return false;
        };
        self.settled.remove(place);
        self.cells.remove(&task);
        true
    }

    pub(super) fn open_count(&self) -> usize {
        self.cells.len() - self.settled.len()
    }

    /// Number of tasks that have not ended. Unlike [`open_count`](Self::open_count), it excludes tasks that are settled
    /// but not yet retired. Visits every task.
    pub(super) fn unsettled_count(&self) -> usize {
        self.cells.values().filter(|cell| !cell.is_settled()).count()
    }

    pub(super) fn open(&self) -> Vec<Arc<TaskCell>> {
        let mut open: Vec<_> = self.cells.values().filter(|cell| !cell.is_settled()).cloned().collect();
        open.sort_by_key(|cell| cell.spec.task);
        open
    }
}
