//! One attempt: timeout, panic guard, binding, and the function.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    task::{JoinError, JoinHandle, spawn_blocking},
    time::{Instant, sleep},
};
use tracing::Span;

use super::{
    ownership::{proof_lapsed, proof_needed},
    service::{ToolRequest, ToolService, cancelled, past_deadline, sleep_until_some},
};
use crate::{
    future::BoxFuture,
    manager::{TaskCell, quarantine::Quarantine, running::inside},
    policy::Held,
    tool::{
        Arguments, BoundCall, IdempotencyKey, Run, StateMap, TaskContext, Tool, ToolContext, ToolError, ToolErrorKind,
        overdue,
    },
    unwind::text_of,
};

/// Runs a tool's function once. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Attempt(Arc<Parts>);

struct Parts {
    tool: Arc<dyn Tool>,
    states: Arc<StateMap>,
    timeout: Option<Duration>,
    stop_timeout: Duration,
    quarantine: Arc<Quarantine>,
}

impl Attempt {
    pub(crate) fn new(
        tool: Arc<dyn Tool>,
        states: Arc<StateMap>,
        timeout: Option<Duration>,
        stop_timeout: Duration,
        quarantine: Arc<Quarantine>,
    ) -> Self {
        Self(Arc::new(Parts {
            tool,
            states,
            timeout,
            stop_timeout,
            quarantine,
        }))
    }

    pub(crate) fn bind(&self, arguments: &Arguments) -> Result<BoundCall, ToolError> {
        let tool = &self.0.tool;
        // The binder of a handwritten tool is user code too.
        catch_unwind(AssertUnwindSafe(|| tool.bind(arguments))).unwrap_or_else(|panic| Err(panicked(&*panic)))
    }

    /// Innermost service of a tool.
    pub(crate) fn service(&self) -> ToolService {
        let attempt = self.clone();
        ToolService::new(move |request: ToolRequest| {
            let attempt = attempt.clone();
            async move {
                let call = match request.take_bound() {
                    Some(call) => call,
                    None => attempt.bind(request.arguments())?,
                };
                let call = keep(call, request.held());
                attempt.begin(request.cell(), call, request.deadline()).await
            }
        })
    }

    /// Runs a bound call, unless its task was told to stop before.
    pub(crate) async fn begin(
        &self,
        cell: &Arc<TaskCell>,
        call: BoundCall,
        deadline: Option<Instant>,
    ) -> Result<Value, ToolError> {
        if cell.is_cancelled() {
            return Err(cancelled());
        }
        self.run(cell, call, deadline).await
    }

    /// Runs a bound call, or the search for the outcome of an earlier run, which goes on for the stop timeout of a task that was
    /// told to stop.
    pub(crate) async fn run(
        &self,
        cell: &Arc<TaskCell>,
        call: BoundCall,
        deadline: Option<Instant>,
    ) -> Result<Value, ToolError> {
        let timeout = self.0.timeout.and_then(|timeout| {
            let at = Instant::now().checked_add(timeout)?;
            let asked_before = cell.asked_so_far();
            Some(Timeout {
                at,
                timeout,
                asked_before,
            })
        });
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(past_deadline());
        }
        if let Some(proof) = proof_needed(cell, deadline) {
            proof.await?;
        }
        let attempt = match cell.manager() {
            Some(host) => host.begin(cell),
            None => cell.begin(cell.accepted).1,
        };
        let cx = ToolContext::new(TaskContext {
            task: cell.spec.task,
            number: cell.spec.number,
            session: cell.spec.session.clone(),
            call: cell.spec.call.id.clone(),
            idempotency_key: cell.spec.idempotency_key.unwrap_or(IdempotencyKey::new(cell.spec.task)),
            attempt,
            deadline: match (timeout, deadline) {
                (Some(timeout), Some(deadline)) => Some(deadline.min(timeout.at)),
                (timeout, deadline) => timeout.map(|timeout| timeout.at).or(deadline),
            },
            states: Arc::clone(&self.0.states),
            cancellation: cell.cancellation().clone(),
            token: OnceLock::new(),
            calls: 0.into(),
            host: Some(Arc::clone(cell) as _),
        });
        // The process may have been stopped since it looked.
        if let Some(proof) = proof_lapsed(cell, deadline)
            && let Err(error) = proof.await
        {
            if let Some(host) = cell.manager() {
                cell.fail_attempt(&error, host.now());
            }
            return Err(error);
        }
        let mut work = self.perform(cell, call, cx.clone())?;
        let event = tokio::select! {
            // A ready result counts, even if the deadline or a cancellation comes at the same time.
            biased;
            end = poll_fn(|task_cx| poll(&mut work, cell, task_cx)) => Event::Ended(end),
            error = time_is_up(cell, timeout, deadline) => Event::TimeIsUp(error),
            () = cell.cancellation().cancelled() => Event::ToldToStop,
        };
        let result = match event {
            Event::Ended(End::Returned(result)) => stopped(result, cell),
            // Boxed to keep the future small, since few tasks need it.
            event => Box::pin(self.wind_up(event, work, cell, &cx, deadline)).await,
        };
        if let Err(error) = &result
            && let Some(host) = cell.manager()
        {
            cell.fail_attempt(error, host.now());
        }
        result
    }

    /// Ends a function that has not returned.
    async fn wind_up(
        &self,
        event: Event,
        mut work: Work,
        cell: &TaskCell,
        cx: &ToolContext,
        deadline: Option<Instant>,
    ) -> Result<Value, ToolError> {
        let end = match event {
            Event::Ended(end) => end,
            Event::TimeIsUp(error) => {
                // A function that never took its token can't react to it. A blocking function can't be dropped either,
                // so the token also tells it about the timeout.
                let listens = cx.is_listening();
                cx.cancellation().cancel();
                if !listens {
                    return Err(error);
                }
                let _tidying = Tidying::begin(cell);
                match self.tidied_up(&mut work, cell).await {
                    Some(End::Returned(Err(late))) if late.kind() != ToolErrorKind::Panicked => return Err(error),
                    Some(End::Returned(Ok(value))) => {
                        cell.set_partial();
                        return Ok(value);
                    }
                    Some(end) => end,
                    None => return Err(error),
                }
            }
            Event::ToldToStop => {
                // The task was completed from outside, so the function's result is not needed, even if the function
                // blocks.
                if let Some(result) = cell.resolved() {
                    drop_guarded(work);
                    return result;
                }
                let _tidying = Tidying::begin(cell);
                match self.tidied_up(&mut work, cell).await {
                    Some(end) => end,
                    None => return Err(cancelled()),
                }
            }
        };
        match end {
            End::Returned(result) => stopped(result, cell),
            End::Deferred => {
                // The task was deferred: its result comes from outside.
                drop_guarded(work);
                wait_for_resolution(cell, deadline).await
            }
        }
    }

    /// Waits for the end of a function that was told to stop; `None` after its stop timeout.
    async fn tidied_up(&self, work: &mut Work, cell: &TaskCell) -> Option<End> {
        tokio::select! {
            biased;
            end = poll_fn(|task_cx| poll(work, cell, task_cx)) => Some(end),
            () = sleep(self.0.stop_timeout) => None,
        }
    }

    /// Starts the function, on the async threads or on the blocking pool.
    fn perform(&self, cell: &Arc<TaskCell>, call: BoundCall, cx: ToolContext) -> Result<Work, ToolError> {
        match call.0 {
            // Creating the future is user code, as polling it is.
            Run::Async(run) => catch_unwind(AssertUnwindSafe(|| run(cx))).map_err(|panic| panicked(&*panic)),
            Run::Blocking(run) => {
                let cell = Arc::clone(cell);
                let run = Box::new(move |cx| inside(&cell, || run(cx)));
                Ok(Box::pin(self.clone().perform_blocking(run, cx)))
            }
        }
    }

    async fn perform_blocking(
        self,
        run: Box<dyn FnOnce(ToolContext) -> Result<Value, ToolError> + Send>,
        cx: ToolContext,
    ) -> Result<Value, ToolError> {
        let thread = Arc::new(Thread::new(Arc::clone(&self.0.quarantine)));
        let running = spawn_blocking({
            let thread = Arc::clone(&thread);
            // Logs of the function belong to the span of its call.
            let span = Span::current();
            move || {
                thread
                    .run(|| span.in_scope(|| run(cx)))
                    .unwrap_or_else(|| Err(cancelled()))
            }
        });
        let _watched = WatchOnDrop {
            thread,
            tool: Arc::clone(&self.0.tool.definition().name),
        };
        // Aborted when this future is dropped: a function that still waits for a thread is then never called.
        match AbortOnDrop(running).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => Err(panicked(&*panic)),
                Err(_) => Err(ToolError::new(
                    ToolErrorKind::Internal,
                    "the runtime was shut down before the function ran",
                )),
            },
        }
    }
}

/// Keeps the resources of a blocking function until it returns: it may still write after its task has ended.
fn keep(call: BoundCall, held: Option<Arc<Held>>) -> BoundCall {
    match call.0 {
        Run::Blocking(run) => BoundCall::blocking(move |cx| {
            let _held = held;
            run(cx)
        }),
        Run::Async(_) => call,
    }
}

/// Future of a running function.
type Work = BoxFuture<'static, Result<Value, ToolError>>;

/// Polls a function, and catches its panic.
fn poll(work: &mut Work, cell: &TaskCell, task_cx: &mut Context<'_>) -> Poll<End> {
    let result = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(task_cx)))
        .unwrap_or_else(|panic| Poll::Ready(Err(panicked(&*panic))));
    match result {
        _ if cell.is_deferred() => Poll::Ready(End::Deferred),
        Poll::Ready(result) => Poll::Ready(End::Returned(result)),
        Poll::Pending => Poll::Pending,
    }
}

/// Interprets the result of a function that may have been told to stop. A value counts in any case; an error after the
/// signal to stop counts as the cancellation.
fn stopped(result: Result<Value, ToolError>, cell: &TaskCell) -> Result<Value, ToolError> {
    match result {
        Err(error) if cell.is_cancelled() && error.kind() != ToolErrorKind::Panicked => {
            tracing::debug!(
                target: "async_tool::task",
                kind = error.kind().as_str(),
                "a tool that was told to stop ended with an error"
            );
            // The message may matter, such as a step that could not be undone. The cancellation of a child task adds
            // nothing.
            Err(match error.kind() {
                ToolErrorKind::Cancelled => cancelled(),
                _ => ToolError::new(ToolErrorKind::Cancelled, error.model_message()),
            })
        }
        Ok(value) => {
            if cell.is_cancelled() {
                cell.set_partial();
            }
            Ok(value)
        }
        Err(error) => Err(error.of_caller()),
    }
}

/// Drops a function whose result is not needed; its destructors are user code.
fn drop_guarded(work: Work) {
    if catch_unwind(AssertUnwindSafe(|| drop(work))).is_err() {
        tracing::warn!(target: "async_tool::task", "a tool panicked while it was dropped");
    }
}

/// Waits for the result from outside.
pub(crate) async fn wait_for_resolution(cell: &TaskCell, deadline: Option<Instant>) -> Result<Value, ToolError> {
    tokio::select! {
        biased;
        result = cell.resolution() => result,
        () = cell.cancellation().cancelled() => Err(cancelled()),
        () = sleep_until_some(deadline) => Err(past_deadline()),
        () = cell.deferral_ends() => Err(overdue()),
    }
}

/// Stop timeout of a function that was told to stop. Layers around it see the mark and wait as long.
struct Tidying<'a>(&'a TaskCell);

impl<'a> Tidying<'a> {
    fn begin(cell: &'a TaskCell) -> Self {
        cell.begin_tidying();
        Self(cell)
    }
}

impl Drop for Tidying<'_> {
    fn drop(&mut self) {
        self.0.end_tidying();
    }
}

/// End of a function's future.
enum End {
    Returned(Result<Value, ToolError>),
    /// The task waits for its result from outside.
    Deferred,
}

/// First event while a function is at work.
enum Event {
    Ended(End),
    TimeIsUp(ToolError),
    ToldToStop,
}

#[derive(Clone, Copy)]
struct Timeout {
    at: Instant,
    timeout: Duration,
    /// Time spent in questions before the attempt began: for approval, or in an earlier attempt.
    asked_before: Duration,
}

/// Waits for the timeout or the deadline, and returns its error. The timeout of the attempt stands still while a
/// question is open.
async fn time_is_up(cell: &TaskCell, timeout: Option<Timeout>, deadline: Option<Instant>) -> ToolError {
    let mut asked = Duration::ZERO;
    loop {
        let end = timeout.and_then(|timeout| timeout.at.checked_add(asked));
        // One timer for both, because every running task has one.
        sleep_until_some(end.into_iter().chain(deadline).min()).await;
        if deadline.is_some_and(|deadline| end.is_none_or(|end| deadline <= end)) {
            return past_deadline();
        }
        let Some(Timeout {
            timeout, asked_before, ..
        }) = timeout
        else {
            continue;
        };
        match cell.asked_for().map(|all| all.saturating_sub(asked_before)) {
            Some(all) if all <= asked => {
                return ToolError::new(ToolErrorKind::Timeout, format!("timed out after {timeout:?}"));
            }
            Some(all) => asked = all,
            None => {
                let answered = async {
                    tokio::select! {
                        biased;
                        () = sleep_until_some(deadline) => true,
                        () = cell.answered() => false,
                    }
                };
                if Box::pin(answered).await {
                    return past_deadline();
                }
            }
        }
    }
}

/// A blocking function on its thread.
struct Thread {
    state: Mutex<ThreadState>,
    quarantine: Arc<Quarantine>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ThreadState {
    Waits,
    Runs,
    Quarantined,
    Returned,
}

impl Thread {
    fn new(quarantine: Arc<Quarantine>) -> Self {
        Self {
            state: Mutex::new(ThreadState::Waits),
            quarantine,
        }
    }

    /// Calls the function, unless its task has been dropped.
    fn run<T>(&self, function: impl FnOnce() -> T) -> Option<T> {
        /// Returns the thread even if the function panics.
        struct Return<'a>(&'a Thread);

        impl Drop for Return<'_> {
            fn drop(&mut self) {
                let mut state = self.0.state();
                if std::mem::replace(&mut *state, ThreadState::Returned) == ThreadState::Quarantined {
                    self.0.quarantine.leave();
                }
            }
        }

        {
            let mut state = self.state();
            if *state != ThreadState::Waits {
                return None;
            }
            *state = ThreadState::Runs;
        }
        let _return = Return(self);
        Some(function())
    }

    fn state(&self) -> MutexGuard<'_, ThreadState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Quarantines the thread of a dropped task that still runs.
struct WatchOnDrop {
    thread: Arc<Thread>,
    tool: Arc<str>,
}

impl Drop for WatchOnDrop {
    fn drop(&mut self) {
        let mut state = self.thread.state();
        let count = match *state {
            // The function is never called.
            ThreadState::Waits => {
                *state = ThreadState::Returned;
                None
            }
            ThreadState::Runs => {
                *state = ThreadState::Quarantined;
                Some(self.thread.quarantine.enter())
            }
            ThreadState::Quarantined | ThreadState::Returned => None,
        };
        drop(state);
        if let Some(count) = count {
            tracing::warn!(
                target: "async_tool::task",
                tool = &*self.tool,
                count,
                "code that was told to stop goes on and can't be dropped; its slot is given to others"
            );
        }
    }
}

struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Error of a panic. Its text is for operators, because it names lines and values of the host's source.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> ToolError {
    let text = text_of(panic);
    ToolError::new(ToolErrorKind::Panicked, format!("the tool panicked: {text}"))
        .with_model_message("the tool crashed while it ran; this is a defect of the tool, not of the call")
}
