//! The tasks a manager knows.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::Arc,
};

use super::TaskCell;
use crate::id::TaskId;

/// All open tasks, and the last ones that have ended, so that a late question about a task has an answer.
pub(super) struct TaskTable {
    cells: HashMap<TaskId, Arc<TaskCell>>,
    settled: VecDeque<TaskId>,
    retained: usize,
    /// Tasks accepted so far.
    accepted: u64,
    /// True if new tasks are refused. Here, because a count of open tasks says nothing while more can come.
    closing: bool,
}

/// Outcome of adding a task.
pub(super) enum Inserted {
    New,
    /// The task with its id was there already.
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

    /// Adds a task, which is below `owner` where there is one.
    pub(super) fn insert(&mut self, cell: &Arc<TaskCell>, owner: Option<&Arc<TaskCell>>) -> Inserted {
        // What still drains may need others to end.
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

    /// True if a task is below an open one. A host may write any id there.
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

    /// Takes back a task that was added and is not accepted.
    pub(super) fn withdraw(&mut self, task: TaskId) {
        if self.cells.remove(&task).is_some() {
            self.accepted -= 1;
        }
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted
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

    /// Number of tasks that have not ended: unlike [`open_count`](Self::open_count), without those that are just being taken out. Looks at
    /// every task.
    pub(super) fn unsettled_count(&self) -> usize {
        self.cells.values().filter(|cell| !cell.is_settled()).count()
    }

    pub(super) fn open(&self) -> Vec<Arc<TaskCell>> {
        let mut open: Vec<_> = self.cells.values().filter(|cell| !cell.is_settled()).cloned().collect();
        open.sort_by_key(|cell| cell.spec.task);
        open
    }
}
