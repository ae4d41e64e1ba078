//! The record of a task that lives in this process.

mod abort;
mod beginning;
#[cfg(all(test, shuttle))]
mod interleaved;
mod progress;
mod stop;

#[cfg(not(all(test, shuttle)))]
use std::sync::{Mutex, MutexGuard};
use std::{
    sync::{
        Arc, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
    time::Duration,
};

use serde_json::Value;
#[cfg(all(test, shuttle))]
use shuttle::sync::{Mutex, MutexGuard};
use tokio::{
    sync::{Notify, SetOnce, oneshot},
    time::Instant,
};
use tracing::Span;

pub(crate) use beginning::Beginning;
use progress::Reported;
pub(crate) use progress::Reporting;

use super::{
    AsyncTaskResult, InputRequest, Mailbox, SendError, TaskAck, TaskOutcome, TaskSnapshot, TaskSpec, TaskStatus, Timing,
};
use crate::{
    Timestamp,
    manager::Path,
    manager::{Slot, Ticket},
    tool::{CancellationToken, ToolError},
};

/// The one record of a task that lives in this process.
///
/// `result` is set once: whoever sets it first has settled the task, and everybody else finds it settled.
pub(crate) struct TaskCell {
    pub(crate) spec: TaskSpec,
    pub(crate) accepted: Timestamp,
    /// Made when somebody looks for it: most tasks end before.
    cancellation: OnceLock<CancellationToken>,
    /// The way of its tool's calls.
    pub(crate) path: Option<Arc<Path>>,
    pub(crate) result: SetOnce<Arc<AsyncTaskResult>>,
    /// Whether the function has said that somebody else will complete the task.
    deferred: AtomicBool,
    run: Mutex<Run>,
    /// What most tasks never have.
    more: OnceLock<Box<More>>,
}

#[derive(Default)]
struct Run {
    started: Option<Timestamp>,
    attempts: u32,
    /// What wakes the future, once it has something to wait for, so that it sees that it is to be dropped.
    waker: Option<Waker>,
    /// What wakes the function's waiter once there is a token.
    token_waker: Option<Waker>,
    abort_requested: bool,
    /// Whether the future is being polled: a thread is in it, and it can't be dropped.
    is_polled: bool,
    /// Whether the task was ended while a thread was in its future, which goes on.
    is_given_up: bool,
    /// Whether its function was told to stop, and tidies up.
    is_in_grace: bool,
    /// Whether its function was told to stop before it gave its value, which may then be a part of one.
    is_partial: bool,
    /// Whether its end is known: what comes from outside now comes too late.
    is_over: bool,
    seat: Seat,
}

/// What a task has of the manager's slots.
#[derive(Default)]
pub(crate) struct Seat {
    /// Whether it counts among the tasks that have had no slot yet.
    pub(crate) has_place: bool,
    /// Whether it has left its place for as long as it waits for something that holds up nobody.
    pub(crate) has_left: bool,
    /// Where it waits for its first slot.
    pub(crate) ticket: Option<Ticket>,
    pub(crate) slot: Option<Slot>,
    /// How many waits there are for whose time it has given its slot away.
    pub(crate) suspended: u32,
    /// Whether it had a slot when the first of them began.
    pub(crate) is_lent: bool,
    /// Whether it was let in although there was no slot, because it might need none; it doesn't wait for one.
    pub(crate) is_refused_when_full: bool,
    /// Whether it has ended, and needs no slot any more. What it has left behind may still wait for one in its name.
    pub(crate) is_over: bool,
}

impl Seat {
    /// Gives away its slot, and whether it had a place.
    pub(crate) fn give_back(&mut self) -> (Option<Slot>, bool) {
        self.is_lent = false;
        (self.slot.take(), std::mem::take(&mut self.has_place))
    }
}

/// What a task leaves behind when it ends.
pub(crate) struct Left {
    /// Its slot, and whether it had a place.
    pub(crate) held: (Option<Slot>, bool),
    /// The end that has come from outside: whoever was told that theirs counts is right.
    pub(crate) from_outside: Option<Result<Value, ToolError>>,
    /// Whether a thread was in its future when it was ended, and has come out of it now.
    pub(crate) was_given_up: bool,
    /// How it went, for [`TaskCell::settle_after`].
    pub(crate) course: Course,
}

/// When the first attempt began, and how many there were.
#[derive(Clone, Copy)]
pub(crate) struct Course {
    started: Option<Timestamp>,
    attempts: u32,
}

impl Run {
    const fn course(&self) -> Course {
        Course {
            started: self.started,
            attempts: self.attempts,
        }
    }
}

#[derive(Default)]
struct More {
    cancel_reason: OnceLock<String>,
    /// What the task gets from outside in place of its function's result.
    resolution: SetOnce<Result<Value, ToolError>>,
    rest: Mutex<Rest>,
    /// Told when a question is open no more.
    asked: Notify,
}

#[derive(Default)]
struct Rest {
    /// The cell that runs in this one's place, where calls share one run: the last one, where a layer has tried again.
    flight: Option<Arc<TaskCell>>,
    progress: Option<Reported>,
    request: Option<Pending>,
    last_question: Question,
    /// Since when a question is open, and how long all earlier ones were.
    asking_since: Option<Instant>,
    asked_for: Duration,
    children: Vec<Weak<TaskCell>>,
    /// The calls that share this run, where it is one that calls share.
    passengers: Option<Vec<Weak<TaskCell>>>,
    mailbox: Option<Arc<Mailbox>>,
    /// Where it is said how the task ends.
    span: Option<Span>,
}

/// A question that waits for its answer.
struct Pending {
    question: Question,
    request: InputRequest,
    answer: oneshot::Sender<Result<Value, ToolError>>,
}

/// Tells the questions of a task apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Question(u32);

/// What somebody answers to a question of a task.
pub(crate) type Answered = oneshot::Receiver<Result<Value, ToolError>>;

impl TaskCell {
    pub(crate) fn status(&self) -> TaskStatus {
        match self.result.get() {
            Some(result) => result.status(),
            None if self.request().is_some() => TaskStatus::InputRequired,
            None if self.run().started.is_some() => TaskStatus::Running,
            None => TaskStatus::Queued,
        }
    }

    pub(crate) fn ack(&self, status: TaskStatus) -> TaskAck {
        let TaskSpec { task, number, call, .. } = &self.spec;
        TaskAck::new(*task, *number, Arc::clone(&call.name), call.arguments.clone(), status)
    }

    pub(crate) fn snapshot(&self) -> TaskSnapshot {
        let started = self.run().started;
        TaskSnapshot {
            task: self.spec.task,
            number: self.spec.number,
            parent: self.spec.parent,
            session: self.spec.session.clone(),
            tool: self.spec.call.name.clone(),
            status: self.status(),
            accepted: self.accepted,
            started,
            progress: self.progress(),
            request: self.request(),
            deferred: self
                .flight()
                .map_or_else(|| self.is_deferred(), |flight| flight.is_deferred()),
        }
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.result.initialized()
    }

    /// Whether the task has ended, or is at its end.
    pub(crate) fn is_over(&self) -> bool {
        self.is_settled() || self.run().seat.is_over
    }

    /// The signal to stop.
    pub(crate) fn cancellation(&self) -> &CancellationToken {
        if let Some(token) = self.cancellation.get() {
            return token;
        }
        let token = self.cancellation.get_or_init(CancellationToken::new);
        self.wake_for_token();
        token
    }

    /// Whether the task has been told to stop.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancellation.get().is_some_and(CancellationToken::is_cancelled)
    }

    /// Sets the reason, the first one given, and fires the token.
    pub(crate) fn request_cancel(&self, reason: String) {
        let more = self.more();
        // Under the lock, for whoever has to know whether it comes before the end.
        let run = self.run();
        let _first_reason_stays = more.cancel_reason.set(reason);
        drop(run);
        self.cancellation().cancel();
    }

    pub(crate) fn cancel_reason(&self) -> Option<&str> {
        self.more.get()?.cancel_reason.get().map(String::as_str)
    }

    /// Notes the begin of an attempt; says whether it is the first, and its number.
    pub(crate) fn begin(&self, now: Timestamp) -> (bool, u32) {
        let mut run = self.run();
        let is_first = run.started.is_none();
        run.started.get_or_insert(now);
        run.attempts = run.attempts.saturating_add(1);
        run.is_partial = false;
        (is_first, self.with_earlier(run.attempts))
    }

    /// The attempts of this process and those of earlier ones. What a host or a backend says of them may be any number.
    fn with_earlier(&self, attempts: u32) -> u32 {
        (self.spec.attempt.max(1) - 1).saturating_add(attempts)
    }

    /// When the first attempt began.
    pub(crate) fn started(&self) -> Option<Timestamp> {
        self.run().started
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.run().attempts
    }

    /// Whether the function was told to stop, and tidies up.
    pub(crate) fn is_in_grace(&self) -> bool {
        self.run().is_in_grace
    }

    pub(crate) fn set_in_grace(&self, is_in_grace: bool) {
        self.run().is_in_grace = is_in_grace;
    }

    /// Whether the function was told to stop before it gave its value.
    pub(crate) fn is_partial(&self) -> bool {
        self.run().is_partial
    }

    pub(crate) fn set_partial(&self) {
        self.run().is_partial = true;
    }

    /// Takes over how often somebody else has run the task.
    pub(crate) fn set_attempts(&self, attempts: u32) {
        self.run().attempts = attempts;
    }

    /// Takes over how a run went that this task shares.
    pub(crate) fn follow(&self, flight: &Self) {
        let (attempts, is_partial) = {
            let run = flight.run();
            (run.attempts, run.is_partial)
        };
        let mut run = self.run();
        run.attempts = attempts;
        run.is_partial = is_partial;
    }

    fn is_remote(&self) -> bool {
        self.path.as_ref().is_some_and(|path| path.is_remote)
    }

    /// From now on the task is somebody else's to complete; what its function returns is no result.
    pub(crate) fn defer(&self) {
        self.deferred.store(true, Ordering::Release);
    }

    pub(crate) fn is_deferred(&self) -> bool {
        self.deferred.load(Ordering::Acquire)
    }

    /// Gives a task its end from outside; false if it has had one.
    pub(crate) fn resolve(&self, end: Result<Value, ToolError>) -> bool {
        let run = self.run();
        let is_first = !run.is_over && !self.is_settled() && self.more().resolution.set(end).is_ok();
        drop(run);
        is_first
    }

    /// The end that came from outside, if one has.
    pub(crate) fn resolved(&self) -> Option<Result<Value, ToolError>> {
        self.more.get()?.resolution.get().cloned()
    }

    /// Takes nothing from outside any more; gives what has come: whoever was told that theirs counts is right.
    pub(crate) fn close(&self) -> Option<Result<Value, ToolError>> {
        self.run().is_over = true;
        self.close_mailbox();
        self.resolved()
    }

    fn close_mailbox(&self) {
        if let Some(mailbox) = self.more.get().and_then(|more| more.rest().mailbox.take()) {
            mailbox.tell();
        }
    }

    /// Ends the task: it [takes](Self::close) nothing from outside any more and is given no slot. If its future is gone, it
    /// [lets go](Self::let_go) of that, too. All at once, because a lock is not for nothing.
    pub(crate) fn end(&self, is_future_gone: bool) -> Left {
        let mut run = self.run();
        run.is_over = true;
        run.seat.is_over = true;
        let held = run.seat.give_back();
        let course = run.course();
        let waker = if is_future_gone { run.waker.take() } else { None };
        let was_given_up = is_future_gone && std::mem::take(&mut run.is_given_up);
        drop(run);
        drop(waker);
        self.close_mailbox();
        Left {
            held,
            from_outside: self.resolved(),
            was_given_up,
            course,
        }
    }

    /// Like [`close`](Self::close), unless something has come by now: an end, or the word to stop. False then.
    pub(crate) fn close_untouched(&self) -> bool {
        let mut run = self.run();
        if self.is_settled() || self.cancel_reason().is_some() || self.resolved().is_some() {
            return false;
        }
        run.is_over = true;
        drop(run);
        self.close().is_none()
    }

    /// The end of the task whose way has come to `result`.
    pub(crate) fn conclude(&self, result: Result<Value, ToolError>) -> Result<Value, ToolError> {
        self.close().unwrap_or(result)
    }

    /// Waits for the end of a deferred task.
    pub(crate) async fn resolution(&self) -> Result<Value, ToolError> {
        self.more().resolution.wait().await.clone()
    }

    /// The cell that runs in this one's place, or has done so, if there is one.
    pub(crate) fn flight(&self) -> Option<Arc<Self>> {
        self.more.get()?.rest().flight.clone()
    }

    /// The cell that runs in this one's place, while it does.
    fn open_flight(rest: &Rest) -> Option<Arc<Self>> {
        rest.flight.clone().filter(|flight| !flight.run().is_over)
    }

    /// The cell that does what there is to do: the run that this call shares, or this one, also where a layer around the shared run
    /// goes on after it.
    pub(crate) fn at_work(self: &Arc<Self>) -> Arc<Self> {
        let flight = self.more.get().and_then(|more| Self::open_flight(&more.rest()));
        flight.unwrap_or_else(|| Arc::clone(self))
    }

    pub(crate) fn set_flight(&self, flight: Arc<Self>) {
        let mut rest = self.more().rest();
        let before = rest.flight.replace(Arc::clone(&flight));
        let sent_before = rest.mailbox.take();
        drop(rest);
        drop(before);
        if let Some((sent_before, mailbox)) = sent_before.zip(flight.mailbox()) {
            mailbox.inherit(&sent_before);
        }
    }

    /// Keeps a message for the function of the task.
    pub(crate) fn send(&self, message: String) -> Result<(), SendError> {
        if self.is_settled() || self.is_deferred() {
            return Err(SendError::Ended);
        }
        if self.is_remote() {
            return Err(SendError::Unsupported);
        }
        let mut rest = self.more().rest();
        if let Some(flight) = Self::open_flight(&rest) {
            drop(rest);
            return flight.send(message);
        }
        let mailbox = self.open_mailbox(&mut rest).ok_or(SendError::Ended)?;
        // Under the lock: a mailbox that is handed over takes along all that was accepted.
        mailbox.put(message)?;
        drop(rest);
        mailbox.tell();
        Ok(())
    }

    /// Where the function finds its messages; `None` if none will come any more.
    pub(crate) fn mailbox(&self) -> Option<Arc<Mailbox>> {
        self.open_mailbox(&mut self.more().rest())
    }

    fn open_mailbox(&self, rest: &mut Rest) -> Option<Arc<Mailbox>> {
        // Whoever closes the mailbox says first that the task is over, and then takes the lock of `rest`.
        let is_open = !self.run().is_over;
        is_open.then(|| Arc::clone(rest.mailbox.get_or_insert_default()))
    }

    /// Another call shares this run.
    pub(crate) fn add_passenger(&self, passenger: &Arc<Self>) {
        let passenger = Arc::downgrade(passenger);
        self.more().rest().passengers.get_or_insert_default().push(passenger);
    }

    /// A call leaves this run; gives how many are left.
    pub(crate) fn remove_passenger(&self, passenger: &Weak<Self>) -> usize {
        let mut rest = self.more().rest();
        let passengers = rest.passengers.get_or_insert_default();
        passengers.retain(|known| !known.ptr_eq(passenger));
        passengers.len()
    }

    /// Whether this is a run that calls share.
    pub(crate) fn is_shared(&self) -> bool {
        self.more.get().is_some_and(|more| more.rest().passengers.is_some())
    }

    /// The tasks that are told what happens here: those that share this run, or the one that this is.
    pub(crate) fn faces(self: &Arc<Self>) -> Vec<Arc<Self>> {
        let passengers = self.more.get().and_then(|more| more.rest().passengers.clone());
        match passengers {
            Some(passengers) => passengers.iter().filter_map(Weak::upgrade).collect(),
            None => vec![Arc::clone(self)],
        }
    }

    /// What the task asks, if it waits for an answer.
    pub(crate) fn request(&self) -> Option<InputRequest> {
        let more = self.more.get()?;
        let rest = more.rest();
        if let Some(flight) = Self::open_flight(&rest) {
            drop(rest);
            return flight.request();
        }
        rest.request.as_ref().map(|pending| pending.request.clone())
    }

    /// Asks; a question that was open is given up.
    pub(crate) fn ask(&self, request: InputRequest) -> (Question, Answered) {
        let (answer, answered) = oneshot::channel();
        let mut rest = self.more().rest();
        rest.last_question.0 = rest.last_question.0.wrapping_add(1);
        let question = rest.last_question;
        rest.request = Some(Pending {
            question,
            request,
            answer,
        });
        rest.asking_since.get_or_insert_with(Instant::now);
        (question, answered)
    }

    /// Answers the open question if `check` lets the answer pass.
    pub(crate) fn answer<E>(
        &self,
        check: impl FnOnce(&InputRequest) -> Result<Result<Value, ToolError>, E>,
    ) -> Option<Result<(), E>> {
        let mut rest = self.more.get()?.rest();
        let answer = match check(&rest.request.as_ref()?.request) {
            Ok(answer) => answer,
            Err(error) => return Some(Err(error)),
        };
        let pending = rest.request.take()?;
        drop(rest);
        // The one who asked may be gone by now; then there is nobody to tell.
        pending.answer.send(answer).ok().map(Ok)
    }

    /// The question has been answered, or is withdrawn. One that took its place stays open.
    pub(crate) fn stop_asking(&self, question: Question) {
        let Some(more) = self.more.get() else { return };
        let mut rest = more.rest();
        if rest
            .request
            .as_ref()
            .is_some_and(|pending| pending.question != question)
        {
            return;
        }
        rest.request = None;
        if let Some(since) = rest.asking_since.take() {
            rest.asked_for += since.elapsed();
        }
        drop(rest);
        more.asked.notify_waiters();
    }

    /// How long the task has waited for answers until now.
    pub(crate) fn asked_so_far(&self) -> Duration {
        let Some(more) = self.more.get() else {
            return Duration::ZERO;
        };
        let rest = more.rest();
        rest.asked_for + rest.asking_since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// How long the task has waited for answers; `None` while it waits for one.
    pub(crate) fn asked_for(&self) -> Option<Duration> {
        let Some(more) = self.more.get() else {
            return Some(Duration::ZERO);
        };
        let rest = more.rest();
        rest.asking_since.is_none().then_some(rest.asked_for)
    }

    /// Waits until no question is open.
    pub(crate) async fn answered(&self) {
        let Some(more) = self.more.get() else { return };
        loop {
            let mut asked = std::pin::pin!(more.asked.notified());
            asked.as_mut().enable();
            if more.rest().asking_since.is_none() {
                return;
            }
            asked.await;
        }
    }

    /// The span of the task, until its end is said there. Kept only where somebody looks at it.
    pub(crate) fn set_span(&self, span: Span) {
        self.more().rest().span = Some(span);
    }

    pub(crate) fn take_span(&self) -> Option<Span> {
        self.more.get()?.rest().span.take()
    }

    pub(crate) fn seat<T>(&self, change: impl FnOnce(&mut Seat) -> T) -> T {
        change(&mut self.run().seat)
    }

    pub(crate) fn add_child(&self, child: &Arc<Self>) {
        let mut rest = self.more().rest();
        rest.children
            .retain(|known| known.upgrade().is_some_and(|known| !known.is_settled()));
        rest.children.push(Arc::downgrade(child));
    }

    /// Lets a child live on its own.
    pub(crate) fn release_child(&self, child: &Arc<Self>) {
        let mut rest = self.more().rest();
        rest.children
            .retain(|known| !std::ptr::eq(known.as_ptr(), Arc::as_ptr(child)));
    }

    /// The children, which stay.
    pub(crate) fn children(&self) -> Vec<Arc<Self>> {
        let Some(more) = self.more.get() else { return Vec::new() };
        more.rest().children.iter().filter_map(Weak::upgrade).collect()
    }

    /// The children, each of which is given out once.
    pub(crate) fn take_children(&self) -> Vec<Arc<Self>> {
        let Some(more) = self.more.get() else { return Vec::new() };
        let children = std::mem::take(&mut more.rest().children);
        children.iter().filter_map(Weak::upgrade).collect()
    }

    /// Settles the task; `None` if it had been settled before.
    pub(crate) fn settle(&self, outcome: TaskOutcome, now: Timestamp) -> Option<Arc<AsyncTaskResult>> {
        let course = self.run().course();
        self.settle_after(course, outcome, now)
    }

    /// The same for a task that has [ended](Self::end).
    pub(crate) fn settle_after(
        &self,
        course: Course,
        outcome: TaskOutcome,
        now: Timestamp,
    ) -> Option<Arc<AsyncTaskResult>> {
        if self.is_settled() {
            return None;
        }
        let Course { started, attempts } = course;
        let timing = Timing::new(self.accepted, started, now);
        let outcome = match outcome {
            TaskOutcome::Failed(error) => TaskOutcome::Failed(error.of_call(&self.spec.call.name)),
            outcome => outcome,
        };
        let attempts = self.with_earlier(attempts);
        let mut result = Arc::new(AsyncTaskResult::new(&self.spec, outcome, timing, attempts));
        if let Some(limit) = self.path.as_ref().and_then(|path| path.result_limit)
            && let Some(result) = Arc::get_mut(&mut result)
        {
            result.limit(limit);
        }
        self.result.set(Arc::clone(&result)).is_ok().then_some(result)
    }

    fn run(&self) -> MutexGuard<'_, Run> {
        // Nothing that could panic runs under this lock.
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn more(&self) -> &More {
        self.more.get_or_init(Box::default)
    }
}

impl More {
    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{SessionId, ToolCall};

    #[test]
    fn attempts_beyond_all_numbers_are_as_many_as_can_be_said() {
        let mut spec = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "tool", json!({})));
        spec.attempt = u32::MAX;
        let cell = TaskCell::new(spec, Timestamp::default(), None, None);
        assert_eq!(cell.begin(Timestamp::default()), (true, u32::MAX));
        assert_eq!(cell.begin(Timestamp::default()), (false, u32::MAX));
        cell.set_attempts(u32::MAX);
        cell.begin(Timestamp::default());
        let settled = cell.settle(TaskOutcome::Completed(json!(1)), Timestamp::default());
        assert_eq!(settled.unwrap().attempts, u32::MAX);
    }
}
