//! The record of a task that lives in this process.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    sync::{Notify, SetOnce, oneshot},
    time::Instant,
};
use tracing::Span;

use super::{
    AsyncTaskResult, InputRequest, Mailbox, SendError, TaskAck, TaskOutcome, TaskSnapshot, TaskSpec, TaskStatus, Timing,
};
use crate::{
    Timestamp,
    manager::{Slot, Ticket},
    policy::{Held, Path, Quarantine},
    tool::{CancellationToken, ProgressReport, ToolError},
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
    held: Option<Arc<Held>>,
}

/// The latest report, and when one last went out.
struct Reported {
    report: ProgressReport,
    published: Timestamp,
    /// Whether it came too soon after that, and is still to go out.
    is_held: bool,
    /// Whether a timer sees to that.
    is_timed: bool,
}

/// What is to be done with the latest report of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reporting {
    /// It goes out.
    Now,
    /// It came too soon after the last one that went out: it is due in this time, and whoever hears this sees to it.
    In(Duration),
    /// There is nothing to do, or somebody sees to it already.
    Nothing,
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

/// The least time between two reports that go out.
const PROGRESS_PAUSE: Duration = Duration::from_millis(100);

impl TaskCell {
    #[inline]
    pub(crate) fn new(
        spec: TaskSpec,
        accepted: Timestamp,
        cancellation: Option<CancellationToken>,
        path: Option<Arc<Path>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            spec,
            accepted,
            cancellation: cancellation.map(OnceLock::from).unwrap_or_default(),
            path,
            result: SetOnce::new(),
            deferred: AtomicBool::new(false),
            run: Mutex::default(),
            more: OnceLock::new(),
        })
    }

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
        self.cancellation.get_or_init(CancellationToken::new)
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

    /// The latest report.
    pub(crate) fn progress(&self) -> Option<ProgressReport> {
        Some(self.more.get()?.rest().progress.as_ref()?.report.clone())
    }

    /// Keeps the latest report; says what is to be done with it.
    pub(crate) fn report(&self, mut report: ProgressReport, now: Timestamp) -> Reporting {
        let mut rest = self.more().rest();
        let Some(known) = &mut rest.progress else {
            rest.progress = Some(Reported {
                report,
                published: now,
                is_held: false,
                is_timed: false,
            });
            return Reporting::Now;
        };
        report.output = report.output.or_else(|| known.report.output.take());
        known.report = report;
        known.is_held = true;
        match known.next(now) {
            Reporting::In(_) if known.is_timed => Reporting::Nothing,
            next => {
                known.is_timed |= next != Reporting::Now;
                next
            }
        }
    }

    /// What the timer is to do that was set for a report that came too soon. After anything but [`Reporting::In`] it is over.
    pub(crate) fn report_due(&self, now: Timestamp) -> Reporting {
        let Some(more) = self.more.get() else {
            return Reporting::Nothing;
        };
        let mut rest = more.rest();
        let Some(known) = rest.progress.as_mut().filter(|_| !self.is_settled()) else {
            return Reporting::Nothing;
        };
        let next = known.next(now);
        known.is_timed = matches!(next, Reporting::In(_));
        next
    }

    /// The timer is gone before its time: the next report sets another.
    pub(crate) fn forget_report_timer(&self) {
        let Some(more) = self.more.get() else { return };
        if let Some(known) = &mut more.rest().progress {
            known.is_timed = false;
        }
    }

    /// Runs a future of the task's, and gives `None` once the task is [aborted](Self::abort): then the future is to be dropped. One that
    /// follows a task on a backend goes on: it has to tell the backend.
    pub(crate) const fn until_aborted<F: Future + Unpin>(&self, future: F) -> UntilAborted<'_, F> {
        UntilAborted { cell: self, future }
    }

    fn is_remote(&self) -> bool {
        self.path.as_ref().is_some_and(|path| path.is_remote)
    }

    /// False if the future is to be dropped.
    fn begin_poll(&self) -> bool {
        let mut run = self.run();
        run.is_polled = !run.abort_requested;
        run.is_polled
    }

    /// False if the future is to be dropped.
    fn keep_waker(&self, waker: &Waker) -> bool {
        let mut run = self.run();
        run.is_polled = false;
        if !run.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            run.waker = Some(waker.clone());
        }
        !run.abort_requested
    }

    /// The future is at its end. What is remembered of the task is not to keep the future's memory. True if the future was
    /// [given up](Self::give_up), the first time.
    pub(crate) fn let_go(&self) -> bool {
        let mut run = self.run();
        let waker = run.waker.take();
        let was_given_up = std::mem::take(&mut run.is_given_up);
        drop(run);
        drop(self.take_span());
        drop(waker);
        was_given_up
    }

    /// Puts the task into quarantine if a thread is in its future: it is ended, and that goes on. False if none is, or it was done before.
    /// Whoever [lets go](Self::let_go) of the future takes it out.
    pub(crate) fn give_up(&self, quarantine: &Quarantine) -> bool {
        let mut run = self.run();
        // When the future is first looked at, there is no waker yet.
        let is_at_work = run.is_polled || (run.waker.is_none() && run.started.is_some());
        // What follows a task on a backend waits, whatever the worker does.
        let is_new = is_at_work && !run.seat.is_over && !run.is_given_up && !self.is_remote();
        if is_new {
            run.is_given_up = true;
            quarantine.enter();
        }
        is_new
    }

    pub(crate) fn is_abort_requested(&self) -> bool {
        self.run().abort_requested
    }

    /// Has the task's future dropped where it next waits, or at once where it does.
    pub(crate) fn abort(&self) {
        let mut run = self.run();
        run.abort_requested = true;
        let waker = run.waker.take();
        drop(run);
        if let Some(waker) = waker {
            waker.wake();
        }
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
        if let Some(mailbox) = self.more.get().and_then(|more| more.rest().mailbox.take()) {
            mailbox.tell();
        }
        self.resolved()
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

    /// The resources that the task holds, or wants.
    pub(crate) fn held(&self) -> Option<Arc<Held>> {
        self.more.get()?.rest().held.clone()
    }

    pub(crate) fn set_held(&self, held: Option<Arc<Held>>) {
        let before = std::mem::replace(&mut self.more().rest().held, held);
        // Outside of the lock: others go on by it.
        drop(before);
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
        if self.is_settled() {
            return None;
        }
        let (started, attempts) = {
            let run = self.run();
            (run.started, run.attempts)
        };
        let timing = Timing::new(self.accepted, started, now);
        let outcome = match outcome {
            TaskOutcome::Failed(error) => TaskOutcome::Failed(error.of_call(&self.spec.call.name)),
            outcome => outcome,
        };
        let attempts = self.with_earlier(attempts);
        let result = AsyncTaskResult::new(&self.spec, outcome, timing, attempts);
        let result = match self.path.as_ref().and_then(|path| path.result_limit) {
            Some(limit) => result.with_limit(limit),
            None => result,
        };
        let result = Arc::new(result);
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

impl Reported {
    fn next(&mut self, now: Timestamp) -> Reporting {
        let left = PROGRESS_PAUSE.saturating_sub(now.since(self.published));
        match (self.is_held, left) {
            (false, _) => Reporting::Nothing,
            (true, Duration::ZERO) => {
                self.is_held = false;
                self.published = now;
                Reporting::Now
            }
            (true, left) => Reporting::In(left),
        }
    }
}

impl More {
    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`TaskCell::until_aborted`]. A type with a name, because the future of an async function holds what it is given twice.
pub(crate) struct UntilAborted<'a, F> {
    cell: &'a TaskCell,
    future: F,
}

impl<F: Future + Unpin> Future for UntilAborted<'_, F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { cell, future } = &mut *self;
        let is_remote = cell.is_remote();
        if !is_remote && !cell.begin_poll() {
            return Poll::Ready(None);
        }
        match Pin::new(future).poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if is_remote || cell.keep_waker(cx.waker()) => Poll::Pending,
            Poll::Pending => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin};

    use serde_json::json;

    use super::*;
    use crate::{SessionId, ToolCall};

    fn cell() -> Arc<TaskCell> {
        let spec = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "tool", json!({})));
        TaskCell::new(spec, Timestamp::default(), None, None)
    }

    /// Something that waits, and what hears of its being dropped.
    fn waiting() -> (impl Future<Output = ()>, oneshot::Receiver<()>) {
        let (held, dropped) = oneshot::channel();
        let future = async {
            let _held = held;
            std::future::pending().await
        };
        (future, dropped)
    }

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

    #[tokio::test]
    async fn an_aborted_future_is_dropped_where_it_waits() {
        let (cell, (future, dropped)) = (cell(), waiting());
        let run = tokio::spawn({
            let cell = Arc::clone(&cell);
            async move { cell.until_aborted(pin!(future)).await }
        });
        tokio::task::yield_now().await;
        cell.abort();
        assert_eq!(run.await.unwrap(), None);
        assert!(dropped.await.is_err());
    }

    #[tokio::test]
    async fn a_future_that_was_aborted_before_is_never_polled() {
        let cell = cell();
        cell.abort();
        assert_eq!(
            cell.until_aborted(poll_fn(|_| -> Poll<()> { unreachable!() })).await,
            None
        );
    }

    #[tokio::test]
    async fn a_future_that_is_aborted_while_it_is_polled_is_dropped_when_it_waits() {
        let cell = cell();
        let stopped = cell.until_aborted(poll_fn(|_| {
            cell.abort();
            Poll::<()>::Pending
        }));
        assert_eq!(stopped.await, None);
        // What it has done by then counts.
        let other = super::tests::cell();
        let ended = other.until_aborted(poll_fn(|_| {
            other.abort();
            Poll::Ready(1)
        }));
        assert_eq!(ended.await, Some(1));
    }

    #[tokio::test]
    async fn only_a_future_that_a_thread_is_in_is_given_up_and_once() {
        let cell = cell();
        let quarantine = Quarantine::default();
        let give_up = || cell.give_up(&quarantine);
        assert!(!give_up(), "it has not begun");
        let looked_at = cell.until_aborted(poll_fn(|_| Poll::Ready((give_up(), give_up()))));
        assert_eq!(looked_at.await, Some((true, false)));
        assert_eq!(quarantine.count(), 1);
        assert!(cell.let_go());
        assert!(!cell.let_go());

        let (cell, (future, _dropped)) = (super::tests::cell(), waiting());
        let future = pin!(future);
        let mut waits = cell.until_aborted(future);
        poll_fn(|cx| Poll::Ready(Pin::new(&mut waits).poll(cx).is_pending())).await;
        assert!(!cell.give_up(&quarantine), "it waits, and can be dropped");
    }

    #[tokio::test]
    async fn a_task_that_is_remembered_does_not_keep_its_future() {
        let (cell, (future, dropped)) = (cell(), waiting());
        let run = tokio::spawn({
            let cell = Arc::clone(&cell);
            async move { cell.until_aborted(pin!(future)).await }
        });
        tokio::task::yield_now().await;
        assert!(!cell.let_go(), "nobody has given it up");
        run.abort();
        assert!(run.await.is_err());
        assert!(dropped.await.is_err());
    }
}
