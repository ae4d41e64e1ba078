//! Carries out one attempt of a task.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    task::{JoinError, JoinHandle, spawn_blocking},
    time::{Instant, sleep, sleep_until},
};

use crate::{
    TaskOutcome, TaskSpec, ToolRegistry,
    clock::Clock,
    tool::{
        BoundCall, CancellationToken, Progress, Run, StateMap, TaskContext, ToolContext, ToolError, ToolErrorKind,
        shorten,
    },
};

/// The reason where the executor knows no better: the one who cancels does.
const CANCELLED: &str = "cancelled";

/// Carries out tasks: finds the tool by name, binds the arguments, runs the function, and turns whatever happens into an
/// outcome.
///
/// The manager uses one for tasks in its own process; a worker of a [`Backend`](super::Backend) gets the same one from
/// [`AsyncToolManager::executor`](crate::AsyncToolManager::executor). Cheap to clone.
#[derive(Clone, Debug)]
pub struct Executor(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    registry: ToolRegistry,
    states: Arc<StateMap>,
    timeout: Option<Duration>,
    cancel_grace: Duration,
    clock: Clock,
}

impl Executor {
    pub(crate) fn new(
        registry: ToolRegistry,
        states: StateMap,
        timeout: Option<Duration>,
        cancel_grace: Duration,
        clock: Clock,
    ) -> Self {
        Self(Arc::new(Parts {
            registry,
            states: Arc::new(states),
            timeout,
            cancel_grace,
            clock,
        }))
    }

    /// The tools it can run.
    #[must_use]
    pub fn registry(&self) -> &ToolRegistry {
        &self.0.registry
    }

    /// Checks a call: the tool exists, and the arguments fit.
    ///
    /// # Errors
    ///
    /// What the model has to do differently.
    pub fn bind(&self, name: &str, arguments: &Value) -> Result<BoundCall, ToolError> {
        let Some(tool) = self.0.registry.find(name) else {
            let mut message = format!("there is no tool named `{}`", shorten(name, 64));
            if let Some(nearest) = self.0.registry.nearest(name) {
                message.push_str(&format!("; did you mean `{nearest}`?"));
            }
            return Err(ToolError::new(ToolErrorKind::UnknownTool, message));
        };
        // A binder is user code too where a tool was made by hand.
        catch_unwind(AssertUnwindSafe(|| tool.bind(arguments))).unwrap_or_else(|panic| Err(panicked(&*panic)))
    }

    /// Binds and runs one attempt. Firing `cancellation` stops it: the tool has the manager's cancel grace to end by
    /// itself, and is then dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the tool's future. A blocking function goes on to its end on its own thread, and its value is
    /// lost.
    pub async fn execute(&self, task: &TaskSpec, cancellation: CancellationToken) -> TaskOutcome {
        match self.bind(&task.call.name, &task.call.arguments) {
            Ok(call) => self.run(task, call, cancellation, Progress::default()).await,
            Err(error) => TaskOutcome::Failed(error),
        }
    }

    /// Runs a call that has been bound.
    pub(crate) async fn run(
        &self,
        task: &TaskSpec,
        call: BoundCall,
        cancellation: CancellationToken,
        progress: Progress,
    ) -> TaskOutcome {
        let deadline = self.deadline(task);
        if let Some(deadline) = deadline
            && deadline.at <= Instant::now()
        {
            return deadline.missed();
        }
        // The tool's own token: what it cancels for its helpers' sake is no cancellation of the task.
        let tools_token = cancellation.child();
        let cx = ToolContext::new(TaskContext {
            task: task.task,
            number: task.number,
            session: task.session.clone(),
            call: task.call.id.clone(),
            attempt: task.attempt,
            cancellation: tools_token.clone(),
            deadline: deadline.map(|deadline| deadline.at),
            progress,
            states: Arc::clone(&self.0.states),
        });
        let mut work = pin!(perform(call, cx));
        let time_is_up = async {
            match deadline {
                Some(deadline) => {
                    sleep_until(deadline.at).await;
                    deadline
                }
                None => std::future::pending().await,
            }
        };

        tokio::select! {
            // A result that is in counts, even where the deadline or a cancellation has come at the same time.
            biased;
            result = &mut work => outcome_of(result, &cancellation),
            deadline = time_is_up => {
                // A blocking function can't be dropped; its token is the only way for it to hear of the timeout.
                tools_token.cancel();
                deadline.missed()
            }
            () = cancellation.cancelled() => tokio::select! {
                biased;
                result = &mut work => outcome_of(result, &cancellation),
                () = sleep(self.0.cancel_grace) => TaskOutcome::Cancelled(CANCELLED.to_owned()),
            },
        }
    }

    pub(crate) fn cancel_grace(&self) -> Duration {
        self.0.cancel_grace
    }

    fn timeout(&self, tool: &str) -> Option<Duration> {
        let tool = self.0.registry.find(tool)?;
        tool.options().timeout.or(self.0.timeout)
    }

    /// The sooner of the tool's timeout and the task's deadline.
    fn deadline(&self, task: &TaskSpec) -> Option<Deadline> {
        let now = Instant::now();
        let by_timeout = self.timeout(&task.call.name).and_then(|timeout| {
            let at = now.checked_add(timeout)?;
            Some(Deadline {
                at,
                timeout: Some(timeout),
            })
        });
        let by_caller = task.deadline.and_then(|deadline| {
            let at = now.checked_add(deadline.since(self.0.clock.now()))?;
            Some(Deadline { at, timeout: None })
        });
        match (by_timeout, by_caller) {
            (Some(timeout), Some(caller)) => Some(if caller.at < timeout.at { caller } else { timeout }),
            (one, other) => one.or(other),
        }
    }
}

/// When a task has to have ended.
#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
    /// The timeout that it comes from; `None` if it is the caller's.
    timeout: Option<Duration>,
}

impl Deadline {
    fn missed(self) -> TaskOutcome {
        let message = match self.timeout {
            Some(timeout) => format!("timed out after {timeout:?}"),
            None => "the task's deadline has passed".to_owned(),
        };
        TaskOutcome::Failed(ToolError::new(ToolErrorKind::Timeout, message))
    }
}

/// What a tool has done counts, also if it was told to stop; an error of one that was told to stop is its way of stopping.
fn outcome_of(result: Result<Value, ToolError>, cancellation: &CancellationToken) -> TaskOutcome {
    match result {
        Ok(value) => TaskOutcome::Completed(value),
        Err(error) if cancellation.is_cancelled() && error.kind() != ToolErrorKind::Panicked => {
            tracing::debug!(%error, "a tool that was told to stop ended with an error");
            TaskOutcome::Cancelled(CANCELLED.to_owned())
        }
        Err(error) => TaskOutcome::Failed(error),
    }
}

/// Runs the function, on the async threads or on the blocking pool, and catches its panic.
async fn perform(call: BoundCall, cx: ToolContext) -> Result<Value, ToolError> {
    match call.0 {
        Run::Async(run) => {
            // Making the future is user code as well as polling it.
            let mut work = catch_unwind(AssertUnwindSafe(|| run(cx))).map_err(|panic| panicked(&*panic))?;
            poll_fn(
                |task_cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(task_cx))) {
                    Ok(poll) => poll,
                    Err(panic) => Poll::Ready(Err(panicked(&*panic))),
                },
            )
            .await
        }
        // Aborted when this future is dropped: a function that still waits for a thread is then never called.
        Run::Blocking(run) => match AbortOnDrop(spawn_blocking(move || run(cx))).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => Err(panicked(&*panic)),
                Err(_) => Err(ToolError::new(
                    ToolErrorKind::Internal,
                    "the runtime was shut down before the function ran",
                )),
            },
        },
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

/// Panic text is for operators: it names lines and values of the host's source.
fn panicked(panic: &(dyn Any + Send)) -> ToolError {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a value that is no text");
    ToolError::new(ToolErrorKind::Panicked, format!("the tool panicked: {text}"))
        .with_model_message("the tool crashed while it ran; this is a defect of the tool, not of the call")
}
