//! Admission: who runs, who waits, who is turned away.

use std::{collections::BTreeMap, sync::Arc};

use tokio::runtime::Handle;

use super::run::Work;
use crate::task::TaskCell;

/// A task that has been accepted and not been started.
pub(super) struct Waiting {
    pub(super) cell: Arc<TaskCell>,
    pub(super) work: Work,
    /// The runtime of the caller, where the task will run.
    pub(super) runtime: Handle,
}

/// Slots, and the tasks that wait for one, first come first served.
pub(super) struct Queue {
    /// By ticket, so that a cancelled task is taken out at once, wherever it stands.
    waiting: BTreeMap<u64, Waiting>,
    next_ticket: u64,
    running: usize,
    slots: usize,
    capacity: usize,
    /// Whether somebody is handing out slots. Starting a task on a runtime that is shut down drops it on the spot,
    /// which frees its slot again: without the mark that would recurse once for every waiting task.
    dispatching: bool,
}

/// The verdict on a task.
pub(super) enum Admission {
    /// It has a slot.
    Start(Waiting),
    /// It waits for one.
    Queued,
    /// There is no room; it is given back, to be dropped outside of the lock.
    Full(Waiting),
}

impl Queue {
    pub(super) fn new(slots: usize, capacity: usize) -> Self {
        Self {
            waiting: BTreeMap::new(),
            next_ticket: 0,
            running: 0,
            slots,
            capacity,
            dispatching: false,
        }
    }

    pub(super) fn admit(&mut self, task: Waiting) -> Admission {
        if self.running < self.slots && self.waiting.is_empty() {
            self.running += 1;
            Admission::Start(task)
        } else if self.waiting.len() < self.capacity {
            task.cell.set_ticket(self.next_ticket);
            self.waiting.insert(self.next_ticket, task);
            self.next_ticket += 1;
            Admission::Queued
        } else {
            Admission::Full(task)
        }
    }

    /// Gives a slot back.
    pub(super) fn release(&mut self) {
        self.running -= 1;
    }

    /// Becomes the one who hands out slots, unless there is one.
    pub(super) fn begin_dispatch(&mut self) -> bool {
        !std::mem::replace(&mut self.dispatching, true)
    }

    /// The next task that gets a slot; `None` ends the handing out.
    pub(super) fn dispatch(&mut self) -> Option<Waiting> {
        let next = if self.running < self.slots {
            self.waiting.pop_first()
        } else {
            None
        };
        match next {
            Some((_, task)) => {
                self.running += 1;
                Some(task)
            }
            None => {
                self.dispatching = false;
                None
            }
        }
    }

    /// Takes out a task that waits.
    pub(super) fn remove(&mut self, ticket: u64) -> Option<Waiting> {
        self.waiting.remove(&ticket)
    }
}
