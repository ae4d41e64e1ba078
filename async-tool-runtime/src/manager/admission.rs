//! Who is let in, and who gets a slot.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, MutexGuard},
    time::Duration,
};

use tokio::sync::oneshot;

use super::{
    Inner,
    carrier::Idle,
    queue::{Class, Queue, Slot, Ticket},
    run::{self, Task},
    same::{Entered, SameCalls, key_of},
};
use crate::{
    Priority, TaskEvent, TaskOutcome, Timestamp,
    manager::path::Path,
    policy::CallKey,
    task::{Seat, TaskCell},
    tool::{ToolError, ToolErrorKind},
};

/// What happens to a task for which there is no slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// It waits for one, unless as many wait as the [queue holds](crate::AsyncToolManagerBuilder::queue_capacity). The default.
    #[default]
    Queue,
    /// It is refused as [`ToolErrorKind::Overloaded`], and whoever called is told when to come back. Tasks below other tasks wait.
    ///
    /// A call that may need no slot, because its tool has a cache or calls [share](crate::Dedupe::Share) their runs, is taken all the same. If it
    /// needs one after all, its task fails with that error: it has not begun, and says so. A tool that needs consent or whose calls
    /// [replace](crate::Dedupe::Replace) earlier ones is no such tool: nobody is asked, and nothing is stopped, for a call that is refused then.
    ///
    /// Any other call is refused when it comes, and only then. One that has something to wait for before it has a slot (consent, resources, a layer
    /// of the host's) waits for that too, if others have taken the slots by then.
    Reject {
        /// How long to wait before the next try.
        retry_after: Duration,
    },
    /// It runs beyond the limit, one such task at a time for each session, and further ones wait: so however full the manager is, no
    /// session stands still. There are at most as many more tasks as there are sessions. A tool with something that acts before its calls have a
    /// slot (a cache, a shared run, consent, resources, a layer of the host's) or with a rate waits for that in the queue, and is refused where that is full.
    RunInline,
}

/// What waits for a slot.
pub(super) enum Waiting {
    /// A task that is data as yet.
    Task(Task),
    /// A future that goes on when it is told.
    Future(Arc<TaskCell>, oneshot::Sender<()>),
}

/// What everybody passes who comes in.
pub(super) struct Gate {
    queue: Queue<Waiting>,
    /// Records for those who come: see `spare.rs`.
    pub(super) spares: Vec<Arc<TaskCell>>,
    /// Tokio tasks for those who begin: see `carrier.rs`.
    pub(super) carriers: Vec<Idle>,
}

impl Gate {
    pub(super) const fn new(queue: Queue<Waiting>) -> Self {
        Self {
            queue,
            spares: Vec::new(),
            carriers: Vec::new(),
        }
    }
}

impl Deref for Gate {
    type Target = Queue<Waiting>;

    fn deref(&self) -> &Queue<Waiting> {
        &self.queue
    }
}

impl DerefMut for Gate {
    fn deref_mut(&mut self) -> &mut Queue<Waiting> {
        &mut self.queue
    }
}

/// There is no room for a task.
fn full(retry_after: Option<Duration>) -> ToolError {
    let message = "too many tasks are waiting; try again when some have ended";
    let error = ToolError::new(ToolErrorKind::Overloaded, message).with_not_started();
    match retry_after {
        Some(retry_after) => error.with_retry_after(retry_after),
        None => error,
    }
}

/// The way in of a call that must not be open twice. Until it is known whether it is let in, nobody else gets past: a call that is then
/// refused would be found in the place of one that goes on.
#[derive(Default)]
struct Entering<'a> {
    same: Option<(MutexGuard<'a, SameCalls>, CallKey)>,
    replaced: Option<Replaced>,
}

/// A call that is cancelled because the same was made again.
struct Replaced {
    earlier: Arc<TaskCell>,
    /// What was taken out of the queue already.
    waited: Option<Box<Waiting>>,
}

impl Entering<'_> {
    /// Whether the call that is replaced has a place among those that have had no slot yet.
    fn has_place(&self) -> bool {
        let replaced = self.replaced.as_ref();
        replaced.is_some_and(|replaced| replaced.earlier.seat(|seat| seat.has_place))
    }

    /// Takes over the place of the call that is replaced, and takes it out of the queue if it waits there; false if it has none.
    fn take_place(&mut self, queue: &mut Queue<Waiting>) -> bool {
        let Some(Replaced { earlier, waited }) = &mut self.replaced else {
            return false;
        };
        // In one step: whoever ends it takes the ticket first and then the place.
        let (ticket, had_place) = earlier.seat(|seat| {
            let had_place = std::mem::take(&mut seat.has_place);
            (if had_place { seat.ticket.take() } else { None }, had_place)
        });
        *waited = ticket.and_then(|ticket| queue.remove(ticket)).map(Box::new);
        had_place
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
    /// Lets a task in that has no slot yet: it begins, or waits. An error if there is no room.
    pub(super) fn let_in(self: &Arc<Self>, path: &Path, task: Task) -> Result<(), ToolError> {
        let cell = Arc::clone(&task.cell);
        let class = self.class_of(&cell);
        let entering = self.enter(&cell, path)?;
        let replaced = match self.seat_at_once(&task, &entering, path) {
            Ok(carrier) => {
                let replaced = entering.let_in();
                run::start(self, task, carrier);
                replaced
            }
            Err(queue) => self.admit(queue, entering, path, class, task)?,
        };
        if let Some(replaced) = replaced {
            self.replace(replaced);
        }
        Ok(())
    }

    /// Looks whether the same call is open. An error if it is, and stays.
    fn enter(&self, cell: &Arc<TaskCell>, path: &Path) -> Result<Entering<'_>, ToolError> {
        let Some(key) = key_of(cell) else {
            return Ok(Entering::default());
        };
        let mut same = self.same();
        // Whoever has ended it in the meantime has looked for it there already.
        if cell.is_over() {
            return Ok(Entering::default());
        }
        let replaced = match same.enter(key.clone(), cell, path.options.dedupe) {
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

    /// Gives a task its slot, if it needs nothing else first and there is one, and looks for somebody to carry it out; otherwise the lock under
    /// which there was no slot.
    fn seat_at_once(
        &self,
        Task { cell, runtime, .. }: &Task,
        entering: &Entering<'_>,
        path: &Path,
    ) -> Result<Option<Idle>, MutexGuard<'_, Gate>> {
        let session = &cell.spec.session;
        let mut queue = self.queue();
        // One with a rate may have to wait for that as soon as it has a slot.
        let has_room = || path.options.rate.is_none() || queue.has_place() || entering.has_place();
        if path.outer.is_some() || !has_room() {
            return Err(queue);
        }
        let slot = match queue.try_start(session, path.lane, cell.accepted) {
            Some(slot) => slot,
            None => match queue.try_start_inline(session, path.lane, cell.accepted) {
                Some(slot) => slot,
                None => return Err(queue),
            },
        };
        cell.seat(|seat| seat.slot = Some(slot));
        let carrier = self.idle_carrier(&mut queue, runtime);
        self.publish(|| TaskEvent::Accepted(cell.snapshot()));
        Ok(carrier)
    }

    /// Lets a task in that has no slot at once, if there is room.
    fn admit(
        self: &Arc<Self>,
        mut queue: MutexGuard<'_, Gate>,
        mut entering: Entering<'_>,
        path: &Path,
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
            if path.may_need_no_slot() {
                // Whether there is a slot is known when it needs one.
                cell.seat(|seat| seat.is_refused_when_full = true);
            } else if path.outer.is_none() || !queue.has_slot(path.lane) {
                return is_full(queue, entering, task, Some(retry_after));
            }
        }
        // Where there is no other place, it has that of the call that it replaces.
        if !queue.take_place() && !entering.take_place(&mut queue) {
            return is_full(queue, entering, task, None);
        }
        cell.seat(|seat| seat.has_place = true);
        // Under the lock: once it is gone, somebody else may start the task, and that event comes second.
        self.publish(|| TaskEvent::Accepted(cell.snapshot()));
        if path.outer.is_some() {
            drop(queue);
            let replaced = entering.let_in();
            run::start_outer(self, task);
            return Ok(replaced);
        }
        let runtime = spec.deadline.is_some().then(|| task.runtime.clone());
        let ticket = queue.wait(&spec.session, path.lane, class, Waiting::Task(task));
        cell.seat(|seat| seat.ticket = Some(ticket));
        drop(queue);
        let replaced = entering.let_in();
        if let Some(runtime) = runtime {
            run::watch_deadline(self, &cell, &runtime);
        }
        // Whoever has found it by its id, and ended it or told it to stop before it had its place, has not found it in the queue.
        if cell.cancel_reason().is_some() || cell.is_over() {
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
                if let Some((waiting, slot)) = next {
                    let cell = match &waiting {
                        Waiting::Task(task) => &task.cell,
                        Waiting::Future(cell, _) => cell,
                    };
                    self.seat(&mut queue, cell, slot);
                    let carrier = match &waiting {
                        Waiting::Task(task) => self.idle_carrier(&mut queue, &task.runtime),
                        Waiting::Future(..) => None,
                    };
                    Some((waiting, carrier))
                } else {
                    None
                }
            };
            match next {
                Some((Waiting::Task(task), carrier)) => run::start(self, task, carrier),
                // If it is gone, its guard gives the slot back.
                Some((Waiting::Future(_, wake), _)) => drop(wake.send(())),
                None => return,
            }
        }
    }

    /// Gives a task the slot it waited for.
    pub(super) fn seat(&self, queue: &mut Queue<Waiting>, cell: &TaskCell, slot: Slot) {
        let is_deferred = cell.is_deferred();
        let (extra, had_place) = cell.seat(|seat| {
            seat.ticket = None;
            seat.is_lent = false;
            let had_place = std::mem::take(&mut seat.has_place);
            let extra = if seat.is_over || is_deferred {
                Some(slot)
            } else {
                seat.slot.replace(slot)
            };
            (extra, had_place)
        });
        if had_place {
            queue.leave_place();
        }
        if let Some(extra) = extra {
            queue.release(extra, self.now());
        }
    }

    /// Takes back what a task has of slots and places; says whether somebody waits for what is free now.
    pub(super) fn give_back(&self, cell: &TaskCell, now: Timestamp) -> bool {
        let held = cell.seat(Seat::give_back);
        self.take_back(held, now)
    }

    /// The same for what a task has had that has ended.
    pub(super) fn take_back(&self, (slot, had_place): (Option<Slot>, bool), now: Timestamp) -> bool {
        if slot.is_none() && !had_place {
            return false;
        }
        let mut queue = self.queue();
        if had_place {
            queue.leave_place();
        }
        let Some(slot) = slot else { return false };
        queue.release(slot, now);
        // Whoever comes to wait from here on has looked for a free slot first.
        queue.is_waited_for()
    }

    /// How long not to come back, for a task that was let in although there was no slot, because it might need none. One that has begun is no such
    /// task: a layer of the host's tries it again.
    fn refuses(&self, cell: &Arc<TaskCell>) -> Option<Duration> {
        let WhenFull::Reject { retry_after } = self.when_full else {
            return None;
        };
        // Of calls that share a run, one that may wait is enough.
        let mut faces = cell.faces().into_iter();
        faces
            .all(|face| face.started().is_none() && face.seat(|seat| seat.is_refused_when_full))
            .then_some(retry_after)
    }

    /// Waits for the first slot of a task; an error if it may not wait.
    pub(super) async fn wait_for_first_slot(self: Arc<Self>, cell: Arc<TaskCell>) -> Result<(), ToolError> {
        if let Some(retry_after) = self.refuses(&cell) {
            let mut queue = self.queue();
            let lane = cell.path.as_ref().map_or(0, |path| path.lane);
            let Some(slot) = queue.try_start(&cell.spec.session, lane, self.now()) else {
                drop(queue);
                self.counters.rejected(&cell.spec.call.name);
                return Err(full(Some(retry_after)));
            };
            self.seat(&mut queue, &cell, slot);
            return Ok(());
        }
        let class = self.class_of(&cell);
        self.wait_for_slot(cell, class).await;
        Ok(())
    }

    /// What a task is that waits for its first slot. Not under the lock of the queue: it looks for those above.
    pub(super) fn class_of(&self, cell: &TaskCell) -> Class {
        let priority_of = |cell: &TaskCell| {
            let path = cell.path.as_ref();
            path.map(|path| path.options.priority).unwrap_or_default()
        };
        let own = priority_of(cell);
        if cell.spec.parent.is_none() {
            return Class::New(own);
        }
        let line = self.line_of(cell);
        Class::Child(line.iter().map(|above| priority_of(above)).fold(own, Priority::max))
    }

    /// Waits for a slot.
    pub(super) async fn wait_for_slot(self: Arc<Self>, cell: Arc<TaskCell>, class: Class) {
        let lane = cell.path.as_ref().map_or(0, |path| path.lane);
        let session = &cell.spec.session;
        let (wake, woken) = oneshot::channel();
        let ticket = {
            let mut queue = self.queue();
            let now = self.now();
            let slot = queue
                .try_start(session, lane, now)
                .or_else(|| queue.try_start_inline(session, lane, now));
            if let Some(slot) = slot {
                self.seat(&mut queue, &cell, slot);
                return;
            }
            queue.wait(session, lane, class, Waiting::Future(Arc::clone(&cell), wake))
        };
        let mut waiter = Waiter {
            inner: &self,
            cell: &cell,
            ticket: Some(ticket),
            is_resumed: class == Class::Resumed,
        };
        // The sender is kept by the queue until it is used.
        let _slot_is_there = woken.await;
        waiter.ticket = None;
    }
}

/// Waits for a slot; gives up where it is dropped.
struct Waiter<'a> {
    inner: &'a Arc<Inner>,
    cell: &'a Arc<TaskCell>,
    ticket: Option<Ticket>,
    is_resumed: bool,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let waited = self.inner.queue().remove(ticket);
        match (waited, self.is_resumed) {
            // The task goes on, whatever became of this wait.
            (Some(_), true) => self.inner.resume_regardless(self.cell),
            (Some(_), false) => {}
            (None, true) => self.inner.lend_if_suspended(self.cell),
            (None, false) => {
                if self.inner.give_back(self.cell, self.inner.now()) {
                    self.inner.dispatch();
                }
            }
        }
    }
}
