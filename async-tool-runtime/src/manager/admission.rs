//! Admission of tasks, and their slots.

use std::{
    sync::{Arc, MutexGuard},
    time::Duration,
};

use tokio::{runtime::Handle, sync::oneshot};

use super::{
    Inner, ShownWait, Wait,
    circles::Circle,
    queue::{Class, LaneNo, Queue, Slot, Ticket},
    run,
    same::{Entered, SameCalls, key_of},
    stop,
    task::{Holding, TaskCell},
    waiting::{Task, Waiting},
    when_full::WhenFull,
};
use crate::{
    clock::Timestamp,
    manager::layers::ToolLayers,
    policy::{CallKey, Priority},
    task::{TaskEvent, TaskOutcome, WaitsFor},
    tool::{ToolError, ToolErrorKind},
};

/// Lane of a task's slot.
pub(super) fn lane_of(cell: &TaskCell, queue: &Queue<Waiting>) -> LaneNo {
    let lane = cell.layers.as_ref().map_or(0, |layers| layers.lane);
    if cell.is_blocking() { queue.blocking(lane) } else { lane }
}

/// Error of a call for which the queue has no room.
fn full(retry_after: Option<Duration>) -> ToolError {
    let message = "too many tasks are open; try again when some have ended";
    let error = ToolError::new(ToolErrorKind::Overloaded, message).with_not_started();
    match retry_after {
        Some(retry_after) => error.with_retry_after(retry_after),
        None => error,
    }
}

/// Error of a call that is open as another task. A model knows the tasks of its own session, by their numbers.
fn duplicate_of(open: &TaskCell, call: &TaskCell) -> ToolError {
    let spec = &open.spec;
    match spec.number.filter(|_| spec.session == call.spec.session) {
        Some(number) => ToolError::new(
            ToolErrorKind::Duplicate,
            format!("the same call is already running as {number}; wait for its result"),
        ),
        None => ToolError::new(
            ToolErrorKind::Duplicate,
            format!("the same call is already running as task {}", spec.task),
        )
        .with_model_message("the same call is already running elsewhere; try again when it has ended"),
    }
}

/// Admission of a call with `dedupe = "reject"` or `"replace"`. It holds the lock of the open calls until the call is
/// admitted or refused. Otherwise an equal call could find this one before it is refused, and overlook the open call.
#[derive(Default)]
struct Entering<'a> {
    same: Option<(MutexGuard<'a, SameCalls>, CallKey)>,
    replaced: Option<Replaced>,
}

/// An open call that a new equal call replaces.
struct Replaced {
    earlier: Arc<TaskCell>,
    /// Its entry in the queue, if already removed.
    waited: Option<Box<Waiting>>,
}

impl Entering<'_> {
    /// True if the call takes the place of an open one.
    const fn replaces(&self) -> bool {
        self.replaced.is_some()
    }

    /// True if the replaced call has a queue position.
    fn has_position(&self) -> bool {
        self.replaced
            .as_ref()
            .is_some_and(|replaced| replaced.earlier.has_position())
    }

    /// Takes over the queue position of the replaced call; false if it has none. Removes that call from the queue if it
    /// waits there.
    fn take_position(&mut self, queue: &mut Queue<Waiting>) -> bool {
        let Some(Replaced { earlier, waited }) = &mut self.replaced else {
            return false;
        };
        let (had_position, ticket) = earlier.take_position();
        *waited = ticket.and_then(|ticket| queue.remove(ticket)).map(Box::new);
        had_position
    }

    /// Ends a successful admission; returns the replaced call.
    fn let_in(self) -> Option<Replaced> {
        self.replaced
    }

    /// Undoes the admission of a refused call.
    fn turn_away(self) {
        if let Some((mut same, key)) = self.same {
            same.restore(key, self.replaced.map(|replaced| replaced.earlier));
        }
    }
}

impl Inner {
    /// Admits a task, which starts or waits; an error if there is no room.
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

    /// Registers a call that must be open only once; an error if an equal open call keeps it out.
    fn enter(&self, cell: &Arc<TaskCell>, layers: &ToolLayers) -> Result<Entering<'_>, ToolError> {
        let Some(key) = key_of(cell) else {
            return Ok(Entering::default());
        };
        let mut same = self.same();
        // An ended task has already removed its entry, so a new one would stay.
        if cell.has_ended() {
            return Ok(Entering::default());
        }
        let replaced = match same.enter(key.clone(), cell, layers.options.dedupe) {
            Entered::Alone => None,
            Entered::Replaced(earlier) => {
                if let Some(circle) = Circle::closed_by(cell, |other| Arc::ptr_eq(other, &earlier)) {
                    same.restore(key, Some(earlier));
                    return Err(circle.refusal_of_replacing(&cell.spec.call.name));
                }
                Some(Replaced { earlier, waited: None })
            }
            Entered::Rejected(open) => {
                if let Some(circle) = Circle::closed_by(cell, |other| Arc::ptr_eq(other, &open)) {
                    return Err(circle.refusal_of_sharing(&cell.spec.call.name));
                }
                return Err(duplicate_of(&open, cell));
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
            None => stop::stop_now(self, &earlier, false),
        }
    }

    /// Gives a task a free slot, unless one of its layers runs first. The error is the lock of the queue, still held:
    /// no slot can become free before the task waits.
    fn try_start(
        &self,
        cell: &Arc<TaskCell>,
        entering: &Entering<'_>,
        layers: &ToolLayers,
    ) -> Result<(), MutexGuard<'_, Queue<Waiting>>> {
        let session = &cell.spec.session;
        let mut queue = self.queue();
        // A task with a rate limit may have to wait right after its start, and needs a queue position then.
        let has_position = || layers.options.rate.is_none() || queue.has_position() || entering.has_position();
        let has_room = || queue.has_room() || entering.replaces();
        if layers.outer.is_some() || !has_room() || !has_position() {
            return Err(queue);
        }
        let lane = lane_of(cell, &queue);
        let slot = match queue.try_start(session, lane, cell.accepted) {
            Some(slot) => slot,
            None => match queue.try_start_inline(session, lane, cell.accepted) {
                Some(slot) => slot,
                None => return Err(queue),
            },
        };
        self.give_slot(&mut queue, cell, slot);
        self.publish(|| TaskEvent::Accepted(cell.snapshot()));
        Ok(())
    }

    /// Admits a task that gets no slot at once, if there is room.
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
                // Decided later: a cache or a shared run may answer the call without a slot.
                cell.refuse_when_full();
            } else if layers.outer.is_none() || !queue.has_slot(lane_of(&cell, &queue)) {
                return is_full(queue, entering, task, Some(retry_after));
            }
        }
        // In a full queue, the call takes the queue position of the call that it replaces.
        if !queue.take_position() && !entering.take_position(&mut queue) {
            return is_full(queue, entering, task, None);
        }
        cell.set_position();
        // Under the lock: after its release another thread may start the task, and that event must come second.
        self.publish(|| TaskEvent::Accepted(cell.snapshot()));
        if layers.outer.is_some() {
            drop(queue);
            let replaced = entering.let_in();
            run::start_outer(self, task);
            return Ok(replaced);
        }
        let runtime = spec.deadline.is_some().then(|| task.runtime.clone());
        let lane = lane_of(&cell, &queue);
        let caller = task.runtime.clone();
        let ticket = queue.wait(&spec.session, lane, class, Waiting::Task(task), self.now());
        // A task that has ended meanwhile must not stay in the queue.
        let ended = if cell.set_ticket(ticket) {
            None
        } else {
            queue.remove(ticket)
        };
        drop(queue);
        self.watch_queue(&caller);
        // The lock of the equal calls ends first, because the destructors of arguments are user code.
        let replaced = entering.let_in();
        run::discard(ended);
        if let Some(runtime) = runtime {
            run::watch_deadline(self, &cell, &runtime);
        }
        // Another thread may have found the task by its id and stopped it before it was in the queue. That stop found
        // nothing to remove, so it is repeated here.
        if cell.cancel_reason().is_some() || cell.has_ended() {
            stop::stop_now(self, &cell, false);
        }
        Ok(replaced)
    }

    /// Gives free slots to waiting tasks.
    pub(super) fn dispatch(self: &Arc<Self>) {
        if !self.queue().begin_dispatch() {
            return;
        }
        loop {
            // The block ends the lock: starting a task can call back into the queue.
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
                // If the receiver is gone, the drop of its `SlotWaiter` gives the slot back.
                Some(Waiting::Future(_, wake)) => drop(wake.send(())),
                None => return self.unwatch_queue(),
            }
        }
    }

    /// Gives a task a slot, or returns the slot to the queue if the task needs none any more. Also returns what the
    /// task held before.
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

    /// Returns a task's slot or queue position to the queue. True if a task waits for the slot that is free now.
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
                // A task that starts to wait after this has looked for a free slot first, so none is missed.
                queue.is_waited_for()
            }
        }
    }

    /// Returns the slot or queue position of a task, and starts the tasks that waited for it.
    pub(crate) fn release(self: &Arc<Self>, cell: &TaskCell) {
        if self.take_back(cell.give_back(), self.now()) {
            self.dispatch();
        }
    }

    /// Pause before the caller may try again, if a task was admitted only because it might need no slot; `None` if it
    /// may wait. A task that has started and is tried again by a layer may wait.
    fn refuses(&self, cell: &Arc<TaskCell>) -> Option<Duration> {
        let WhenFull::Reject { retry_after } = self.when_full else {
            return None;
        };
        // A shared run may wait if one of its waiters may.
        let mut calls = cell.served().into_iter();
        calls
            .all(|call| call.started().is_none() && call.is_refused_when_full())
            .then_some(retry_after)
    }

    /// No slot is free, and the task may not wait.
    pub(crate) async fn acquire(self: &Arc<Self>, cell: &Arc<TaskCell>) -> Result<(), ToolError> {
        if let Some(retry_after) = self.refuses(cell) {
            let mut queue = self.queue();
            let lane = lane_of(cell, &queue);
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

    /// Class of a task that waits for its first slot. Must not be called under the lock of the queue, because it looks
    /// up the ancestors.
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
        let session = &cell.spec.session;
        let (wake, woken) = oneshot::channel();
        let ticket = {
            let mut queue = self.queue();
            let lane = lane_of(cell, &queue);
            let now = self.now();
            let slot = queue
                .try_start(session, lane, now)
                .or_else(|| queue.try_start_inline(session, lane, now));
            if let Some(slot) = slot {
                self.give_slot(&mut queue, cell, slot);
                return;
            }
            queue.wait(session, lane, class, Waiting::Future(Arc::clone(cell), wake), now)
        };
        self.watch_queue(&Handle::current());
        let _entered = ShownWait::new(cell, Wait::For(WaitsFor::Slot));
        let mut waiter = SlotWaiter {
            inner: self,
            cell,
            ticket: Some(ticket),
            is_resumed: class == Class::Resumed,
        };
        // The queue keeps the sender until it is used, so this never fails.
        let _slot_is_there = woken.await;
        waiter.ticket = None;
    }
}

/// Wait for a slot; dropping it leaves the queue.
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
        self.inner.unwatch_queue();
        match (waited, self.is_resumed) {
            // A resumed task goes on even if this wait was broken off.
            (Some(_), true) => self.inner.resume_regardless(self.cell),
            (Some(_), false) => {}
            (None, true) => self.inner.lend_if_waiting(self.cell),
            (None, false) => self.inner.release(self.cell),
        }
    }
}
