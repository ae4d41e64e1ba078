//! Admission of tasks, and the slots they get.

use std::{
    sync::{Arc, MutexGuard},
    time::Duration,
};

use tokio::sync::oneshot;

use super::{
    Inner,
    queue::{Class, Queue, Slot, Ticket},
    run,
    same::{Entered, SameCalls, key_of},
    task::{Holding, TaskCell},
    waiting::{Task, Waiting},
    when_full::WhenFull,
};
use crate::{
    clock::Timestamp,
    manager::layers::ToolLayers,
    policy::{CallKey, Priority},
    task::{TaskEvent, TaskOutcome},
    tool::{ToolError, ToolErrorKind},
};

/// There is no room for a task.
fn full(retry_after: Option<Duration>) -> ToolError {
    let message = "too many tasks are waiting; try again when some have ended";
    let error = ToolError::new(ToolErrorKind::Overloaded, message).with_not_started();
    match retry_after {
        Some(retry_after) => error.with_retry_after(retry_after),
        None => error,
    }
}

/// Admission of a call that must not be open twice. It holds the lock until the call is let in or refused: otherwise a call that is then
/// refused could be found in the place of one that goes on.
#[derive(Default)]
struct Entering<'a> {
    same: Option<(MutexGuard<'a, SameCalls>, CallKey)>,
    replaced: Option<Replaced>,
}

/// A call that is cancelled because the same was made again.
struct Replaced {
    earlier: Arc<TaskCell>,
    /// The call, if it was taken out of the queue already.
    waited: Option<Box<Waiting>>,
}

impl Entering<'_> {
    /// True if the replaced call has a queue position.
    fn has_position(&self) -> bool {
        self.replaced
            .as_ref()
            .is_some_and(|replaced| replaced.earlier.has_position())
    }

    /// Takes over the queue position of the replaced call, and takes the call out of the queue if it waits there; false if it has none.
    fn take_position(&mut self, queue: &mut Queue<Waiting>) -> bool {
        let Some(Replaced { earlier, waited }) = &mut self.replaced else {
            return false;
        };
        let (had_position, ticket) = earlier.take_position();
        *waited = ticket.and_then(|ticket| queue.remove(ticket)).map(Box::new);
        had_position
    }

    /// The call is let in; gives the one that it replaces.
    fn let_in(self) -> Option<Replaced> {
        self.replaced
    }

    /// The call is refused, and changes nothing.
    fn turn_away(self) {
        if let Some((mut same, key)) = self.same {
            same.restore(key, self.replaced.map(|replaced| replaced.earlier));
        }
    }
}

impl Inner {
    /// Lets a task in: it begins, or waits. An error if there is no room.
    pub(super) fn admit(self: &Arc<Self>, layers: &ToolLayers, task: Task) -> Result<(), ToolError> {
        let cell = Arc::clone(&task.cell);
        let class = self.class_of(&cell);
        let entering = self.enter(&cell, layers)?;
        let replaced = match self.try_start(&cell, &entering, layers) {
            Ok(()) => {
                let replaced = entering.let_in();
                run::start(self, task);
                replaced
            }
            Err(queue) => self.admit_waiting(queue, entering, layers, class, task)?,
        };
        if let Some(replaced) = replaced {
            self.replace(replaced);
        }
        Ok(())
    }

    /// Looks for an equal open call. An error if there is one, and it stays.
    fn enter(&self, cell: &Arc<TaskCell>, layers: &ToolLayers) -> Result<Entering<'_>, ToolError> {
        let Some(key) = key_of(cell) else {
            return Ok(Entering::default());
        };
        let mut same = self.same();
        // Whoever has ended it in the meantime has looked for it there already.
        if cell.has_ended() {
            return Ok(Entering::default());
        }
        let replaced = match same.enter(key.clone(), cell, layers.options.dedupe) {
            Entered::Alone => None,
            Entered::Replaced(earlier) => Some(Replaced { earlier, waited: None }),
            Entered::Rejected(open) => {
                let name = open
                    .spec
                    .number
                    .map_or_else(|| open.spec.task.to_string(), |number| number.to_string());
                let message = format!("the same call is already running as {name}; wait for its result");
                return Err(ToolError::new(ToolErrorKind::Duplicate, message));
            }
        };
        let same = Some((same, key));
        Ok(Entering { same, replaced })
    }

    fn replace(self: &Arc<Self>, Replaced { earlier, waited }: Replaced) {
        let reason = "the same call was made again and takes its place";
        earlier.request_cancel(reason.to_owned());
        match waited {
            Some(waited) => {
                self.end(&earlier, TaskOutcome::Cancelled(reason.to_owned()));
                run::discard(waited);
            }
            None => run::stop_now(self, &earlier, false),
        }
    }

    /// Gives a task its slot, if it needs nothing else first and one is free. The error is the lock under which none was.
    fn try_start(
        &self,
        cell: &TaskCell,
        entering: &Entering<'_>,
        layers: &ToolLayers,
    ) -> Result<(), MutexGuard<'_, Queue<Waiting>>> {
        let session = &cell.spec.session;
        let mut queue = self.queue();
        // One with a rate may have to wait for that as soon as it has a slot.
        let has_room = || layers.options.rate.is_none() || queue.has_position() || entering.has_position();
        if layers.outer.is_some() || !has_room() {
            return Err(queue);
        }
        let slot = match queue.try_start(session, layers.lane, cell.accepted) {
            Some(slot) => slot,
            None => match queue.try_start_inline(session, layers.lane, cell.accepted) {
                Some(slot) => slot,
                None => return Err(queue),
            },
        };
        self.give_slot(&mut queue, cell, slot);
        self.publish(|| TaskEvent::Accepted(cell.snapshot()));
        Ok(())
    }

    /// Lets a task in that has no slot at once, if there is room.
    fn admit_waiting(
        self: &Arc<Self>,
        mut queue: MutexGuard<'_, Queue<Waiting>>,
        mut entering: Entering<'_>,
        layers: &ToolLayers,
        class: Class,
        task: Task,
    ) -> Result<Option<Replaced>, ToolError> {
        let cell = Arc::clone(&task.cell);
        let spec = &cell.spec;
        let is_full = |queue, entering: Entering<'_>, task, retry_after| {
            drop(queue);
            entering.turn_away();
            run::discard(task);
            Err(full(retry_after))
        };
        if let WhenFull::Reject { retry_after } = self.when_full
            && spec.parent.is_none()
        {
            if layers.may_need_no_slot() {
                // Whether there is a slot is known when it needs one.
                cell.refuse_when_full();
            } else if layers.outer.is_none() || !queue.has_slot(layers.lane) {
                return is_full(queue, entering, task, Some(retry_after));
            }
        }
        // Where there is no other place, it has that of the call that it replaces.
        if !queue.take_position() && !entering.take_position(&mut queue) {
            return is_full(queue, entering, task, None);
        }
        cell.set_position();
        // Under the lock: once it is gone, somebody else may start the task, and that event comes second.
        self.publish(|| TaskEvent::Accepted(cell.snapshot()));
        if layers.outer.is_some() {
            drop(queue);
            let replaced = entering.let_in();
            run::start_outer(self, task);
            return Ok(replaced);
        }
        let runtime = spec.deadline.is_some().then(|| task.runtime.clone());
        let ticket = queue.wait(&spec.session, layers.lane, class, Waiting::Task(task));
        // Ended meanwhile, it must not wait there until its turn.
        let ended = if cell.set_ticket(ticket) {
            None
        } else {
            queue.remove(ticket)
        };
        drop(queue);
        run::discard(ended);
        let replaced = entering.let_in();
        if let Some(runtime) = runtime {
            run::watch_deadline(self, &cell, &runtime);
        }
        // Whoever has found it by its id, and ended it or told it to stop before it had its place, has not found it in the queue.
        if cell.cancel_reason().is_some() || cell.has_ended() {
            run::stop_now(self, &cell, false);
        }
        Ok(replaced)
    }

    /// Hands free slots to those who wait.
    pub(super) fn dispatch(self: &Arc<Self>) {
        if !self.queue().begin_dispatch() {
            return;
        }
        loop {
            // The lock ends with the block: starting a task can call back into the queue.
            let next = {
                let mut queue = self.queue();
                let next = queue.dispatch(self.now());
                next.map(|(waiting, slot)| {
                    let cell = match &waiting {
                        Waiting::Task(task) => &task.cell,
                        Waiting::Future(cell, _) => cell,
                    };
                    self.give_slot(&mut queue, cell, slot);
                    waiting
                })
            };
            match next {
                Some(Waiting::Task(task)) => run::start(self, task),
                // If it is gone, its guard gives the slot back.
                Some(Waiting::Future(_, wake)) => drop(wake.send(())),
                None => return,
            }
        }
    }

    /// Gives a task a slot, or back to the queue if it needs none any more.
    pub(super) fn give_slot(&self, queue: &mut Queue<Waiting>, cell: &TaskCell, slot: Slot) {
        let (before, unneeded) = cell.set_slot(slot);
        let extra = match before {
            Holding::Position(_) => {
                queue.leave_position();
                None
            }
            Holding::Slot(extra) => Some(extra),
            Holding::Nothing => None,
        };
        for slot in extra.into_iter().chain(unneeded) {
            queue.release(slot, self.now());
        }
    }

    /// Gives a task's slot or queue position back to the queue. True if others wait for what is free now.
    pub(super) fn take_back(&self, holding: Holding, now: Timestamp) -> bool {
        match holding {
            Holding::Nothing => false,
            Holding::Position(_) => {
                self.queue().leave_position();
                false
            }
            Holding::Slot(slot) => {
                let mut queue = self.queue();
                queue.release(slot, now);
                // A task that comes to wait after this has looked for a free slot first.
                queue.is_waited_for()
            }
        }
    }

    /// Gives back what a task holds, and starts those that waited for it.
    pub(crate) fn release(self: &Arc<Self>, cell: &TaskCell) {
        if self.take_back(cell.give_back(), self.now()) {
            self.dispatch();
        }
    }

    /// Pause to tell the caller, for a task that was let in without a slot because it might need none. A task that has begun, and is tried again
    /// by a layer, is no such task.
    fn refuses(&self, cell: &Arc<TaskCell>) -> Option<Duration> {
        let WhenFull::Reject { retry_after } = self.when_full else {
            return None;
        };
        // Of calls that share a run, one that may wait is enough.
        let mut calls = cell.served().into_iter();
        calls
            .all(|call| call.started().is_none() && call.is_refused_when_full())
            .then_some(retry_after)
    }

    /// Waits for the first slot of a task that has a queue position.
    ///
    /// # Errors
    ///
    /// None is free, and the task may not wait.
    pub(crate) async fn acquire(self: &Arc<Self>, cell: &Arc<TaskCell>) -> Result<(), ToolError> {
        if let Some(retry_after) = self.refuses(cell) {
            let mut queue = self.queue();
            let lane = cell.layers.as_ref().map_or(0, |layers| layers.lane);
            let Some(slot) = queue.try_start(&cell.spec.session, lane, self.now()) else {
                drop(queue);
                self.counters.rejected(&cell.spec.call.name);
                return Err(full(Some(retry_after)));
            };
            self.give_slot(&mut queue, cell, slot);
            return Ok(());
        }
        let class = self.class_of(cell);
        self.wait_for_slot(cell, class).await;
        Ok(())
    }

    /// Class of a task that waits for its first slot. Not to be asked under the lock of the queue: it looks for the tasks above.
    pub(super) fn class_of(&self, cell: &TaskCell) -> Class {
        let priority_of = |cell: &TaskCell| {
            let layers = cell.layers.as_ref();
            layers.map(|layers| layers.options.priority).unwrap_or_default()
        };
        let own = priority_of(cell);
        if cell.spec.parent.is_none() {
            return Class::New(own);
        }
        let line = self.ancestors(cell);
        Class::Child(line.iter().map(|above| priority_of(above)).fold(own, Priority::max))
    }

    /// Waits for a slot.
    pub(super) async fn wait_for_slot(self: &Arc<Self>, cell: &Arc<TaskCell>, class: Class) {
        let lane = cell.layers.as_ref().map_or(0, |layers| layers.lane);
        let session = &cell.spec.session;
        let (wake, woken) = oneshot::channel();
        let ticket = {
            let mut queue = self.queue();
            let now = self.now();
            let slot = queue
                .try_start(session, lane, now)
                .or_else(|| queue.try_start_inline(session, lane, now));
            if let Some(slot) = slot {
                self.give_slot(&mut queue, cell, slot);
                return;
            }
            queue.wait(session, lane, class, Waiting::Future(Arc::clone(cell), wake))
        };
        let mut waiter = SlotWaiter {
            inner: self,
            cell,
            ticket: Some(ticket),
            is_resumed: class == Class::Resumed,
        };
        // The sender is kept by the queue until it is used.
        let _slot_is_there = woken.await;
        waiter.ticket = None;
    }
}

/// Waits for a slot; gives up where it is dropped.
struct SlotWaiter<'a> {
    inner: &'a Arc<Inner>,
    cell: &'a Arc<TaskCell>,
    ticket: Option<Ticket>,
    is_resumed: bool,
}

impl Drop for SlotWaiter<'_> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let waited = self.inner.queue().remove(ticket);
        match (waited, self.is_resumed) {
            // The task goes on, whatever became of this wait.
            (Some(_), true) => self.inner.resume_regardless(self.cell),
            (Some(_), false) => {}
            (None, true) => self.inner.lend_if_waiting(self.cell),
            (None, false) => self.inner.release(self.cell),
        }
    }
}
