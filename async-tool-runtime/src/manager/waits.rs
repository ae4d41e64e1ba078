//! Waits of a running task, during which it holds no slot.

use std::sync::Arc;

use super::{Inner, admission::lane_of, queue::Class, task::TaskCell};

impl Inner {
    /// Begins a wait: returns the slot or queue position of the task.
    pub(super) fn suspend(self: &Arc<Self>, cell: &TaskCell) {
        if self.take_back(cell.begin_wait(), self.now()) {
            self.dispatch();
        }
        self.stir();
    }

    /// Counts a suspended task as waiting until it has its slot again.
    pub(crate) fn enlist(&self, cell: &TaskCell) {
        let mut queue = self.queue();
        if cell.enlist() {
            queue.take_position_regardless();
        }
    }

    /// Ends a wait: waits for a slot, if the task had one.
    pub(super) async fn resume(self: &Arc<Self>, cell: &Arc<TaskCell>) {
        let needs = cell.end_wait();
        if needs.position {
            self.retake_position(cell);
        }
        if needs.slot {
            self.wait_for_slot(cell, Class::Resumed).await;
            self.lend_if_waiting(cell);
        }
    }

    /// Ends a wait that was broken off: the task goes on even if no slot is free.
    pub(super) fn resume_now(&self, cell: &TaskCell) {
        if cell.end_wait().position {
            self.retake_position(cell);
        }
        self.resume_regardless(cell);
    }

    /// Gives a resumed task a slot, even beyond the limit.
    pub(super) fn resume_regardless(&self, cell: &TaskCell) {
        if cell.needs_slot() {
            let mut queue = self.queue();
            let lane = lane_of(cell, &queue);
            let slot = queue.start_regardless(&cell.spec.session, lane, self.now());
            self.give_slot(&mut queue, cell, slot);
        }
    }

    /// Gives a task its queue position again, even beyond the limit; new tasks are refused until there is room.
    fn retake_position(&self, cell: &TaskCell) {
        // Under the lock of the queue: a thread that ends the task meanwhile then returns the position only after it
        // was counted.
        let mut queue = self.queue();
        if cell.retake_position() {
            queue.take_position_regardless();
        }
    }

    /// Takes the slot of a task that began to wait again before it got the slot: the awaited tasks may need it.
    pub(super) fn lend_if_waiting(self: &Arc<Self>, cell: &TaskCell) {
        if let Some(slot) = cell.lend_if_waiting() {
            self.queue().release(slot, self.now());
            self.dispatch();
        }
    }
}
