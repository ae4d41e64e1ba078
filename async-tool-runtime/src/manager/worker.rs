//! Execution of an engine's tasks on a worker.

use std::{
    pin::pin,
    sync::{Arc, OnceLock, Weak},
};

use tokio::{sync::OwnedMutexGuard, time::timeout};
use tracing::Instrument as _;

use super::{
    Executor, TaskCell,
    end::end_in,
    layers::{CANCELLED, STOP_SLACK, ToolLayers, past_deadline, sleep_until_some},
    outcome_of,
    worker_settings::WorkerSettings,
    worker_span,
};
use crate::{
    backend::{BackendError, HandBackReason, HandedBack, Heartbeat, ProgressReporter, Settlement, WorkerLink},
    future::BoxFuture,
    model::words_of,
    task::{TaskOutcome, TaskSpec, json_bytes},
    tool::{BoundCall, CancellationToken, Reconciled, Reconciler, ToolError, ToolErrorKind, shorten},
    unwind,
};

/// Longest text of an error that is too large for the engine, in bytes, unless the engine carries less.
const CUT_TEXT: usize = 4096;

/// Settings of a worker, and the execution of an engine's tasks.
impl Executor {
    /// Sets the token that fires when this worker stops, such as at a deploy. It cancels no task.
    ///
    /// - A task that has not begun is handed back, and so is each task that comes later.
    /// - A repeatable task that runs sees its [token](crate::tool::ToolContext::cancellation) fire, and
    ///   [`is_leaving`](crate::tool::ToolContext::is_leaving). It has the manager's stop timeout to tidy up. Then it is
    ///   handed back, whatever its function has returned in that time.
    /// - A task that must not happen twice runs to its end.
    ///
    /// So a worker that stops fires this token, takes no more tasks, and waits for the calls of
    /// [`execute`](Self::execute). Default: never fires.
    ///
    /// ```
    /// use async_tool_runtime::{AsyncToolManager, CancellationToken, SessionId, ToolCall, async_tool, tools};
    /// use async_tool_runtime::{backend::HandBackReason, task::TaskSpec};
    /// use serde_json::json;
    ///
    /// /// Counts all stars.
    /// #[async_tool(effect = "read")]
    /// async fn count_stars() -> u64 {
    ///     std::future::pending().await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sigterm = CancellationToken::new();
    /// let manager = AsyncToolManager::builder().tools(tools![count_stars]).build()?;
    /// let executor = manager.executor().clone().stopping_on(sigterm.clone());
    ///
    /// let task = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "count_stars", json!({})));
    /// let (ended, ()) = tokio::join!(executor.execute(&task, 0, CancellationToken::new()), async { sigterm.cancel() });
    /// assert_eq!(ended.unwrap_err().reason(), HandBackReason::Stopping);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn stopping_on(mut self, stop: CancellationToken) -> Self {
        self.worker.stop = stop;
        self
    }

    /// Sets the most bytes of JSON that the engine carries, as in
    /// [`BackendCapabilities::max_payload`](crate::backend::BackendCapabilities::max_payload). The end of a task that has
    /// more becomes an error that names both sizes, instead of a task that the engine runs again. Default: no limit.
    ///
    /// ```
    /// use async_tool_runtime::{AsyncToolManager, CancellationToken, SessionId, ToolCall, async_tool, task::TaskSpec, tools};
    /// use serde_json::json;
    ///
    /// /// Reads a log.
    /// #[async_tool(effect = "read")]
    /// fn read_log() -> String {
    ///     "line\n".repeat(1_000_000)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![read_log]).build()?;
    /// let executor = manager.executor().clone().max_payload(2 * 1024 * 1024);
    /// let task = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "read_log", json!({})));
    /// let end = executor.execute(&task, 0, CancellationToken::new()).await?;
    /// assert!(end.outcome.error().unwrap().message().contains("2097152 bytes"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.worker.max_payload = Some(bytes);
        self
    }

    /// Sets the most starts of a task whose workers are lost while it runs. Then it fails with
    /// [`ToolErrorKind::Panicked`], or ends as unknown if it must not happen twice. Default: 4.
    ///
    /// A start counts whatever ended its worker: a tool, a lack of memory, or the loss of the machine. Tasks that have
    /// lost two workers run one at a time. So a call that kills its workers costs a task beside it two starts at most: one
    /// such call ends no other task, and two of them can end a task that runs beside both. New tasks aren't held back
    /// meanwhile, because a long task that was unlucky would stall its worker. Set more starts for tasks that run longer than
    /// machines live, and give a tool that may kill its workers a queue of its own.
    #[must_use]
    pub fn max_starts(mut self, starts: u32) -> Self {
        self.worker.max_starts = starts;
        self
    }

    /// Runs a task of an engine to its end, without a link to the engine. See [`execute_linked`](Self::execute_linked).
    ///
    /// # Errors
    ///
    /// [`HandedBack`], as for `execute_linked`.
    ///
    /// # Cancel safety
    ///
    /// As for `execute_linked`.
    pub async fn execute(
        &self,
        task: &TaskSpec,
        starts: u32,
        cancellation: CancellationToken,
    ) -> Result<Settlement, HandedBack> {
        /// An engine that keeps no heartbeats.
        struct NoLink;

        impl WorkerLink for NoLink {
            fn save(&self, _: Heartbeat) -> BoxFuture<'_, Result<(), BackendError>> {
                Box::pin(async { Ok(()) })
            }
        }

        self.execute_linked(task, starts, cancellation, Arc::new(NoLink)).await
    }

    /// Runs a task of an engine to its end: binds its arguments and calls the function, under the tool's breaker, retries
    /// and timeout.
    ///
    /// - `starts`: number of earlier runs of which nothing was heard again, as the engine has kept it from the
    ///   [link](WorkerLink::save); 0 for a new task. A task that was started before runs again only if that does no harm,
    ///   and alone among such tasks. It may wait for that, so the engine must not limit the time of a run.
    /// - `cancellation`: fires when the task is cancelled. The function then has the manager's stop timeout to end by
    ///   itself, and is dropped after it. A worker that stops is [no cancellation](Self::stopping_on).
    ///
    /// A tool that runs on a worker can't submit tasks, ask for input, or be completed from outside.
    ///
    /// The run has a span, `execute_tool.run`. With a [propagator](crate::manager::TracePropagator) on both sides, it is a child of the call's span
    /// in the agent's process.
    ///
    /// ```
    /// use async_tool_runtime::{AsyncToolManager, CancellationToken, SessionId, ToolCall, async_tool, task::TaskSpec, tools};
    /// use serde_json::json;
    ///
    /// /// Sends a mail.
    /// #[async_tool]
    /// async fn send_mail(to: String) -> String {
    ///     format!("sent to {to}")
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![send_mail]).build()?;
    /// let call = ToolCall::new("call_1", "send_mail", json!({"to": "ann@example.com"}));
    /// let task = TaskSpec::new(SessionId::new("s"), call);
    ///
    /// let end = manager.executor().execute(&task, 0, CancellationToken::new()).await?;
    /// assert_eq!(end.outcome.value(), Some(&json!("sent to ann@example.com")));
    ///
    /// // The worker that had begun it was lost: it is not sent twice.
    /// let end = manager.executor().execute(&task, 1, CancellationToken::new()).await?;
    /// assert!(end.outcome.value().is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`HandedBack`]: the engine must run the task again, here or on another worker.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the tool's future, as the end of the process would. A blocking function runs to its end on
    /// its own thread, and its value is lost.
    pub async fn execute_linked(
        &self,
        task: &TaskSpec,
        starts: u32,
        cancellation: CancellationToken,
        link: Arc<dyn WorkerLink>,
    ) -> Result<Settlement, HandedBack> {
        let Ok(layers) = self.layers(&task.call.name) else {
            tracing::warn!(target: "async_tool::task", task = %task.task, tool = shorten(&task.call.name, 64), "this worker has no tool of that name; the task is handed back");
            return Err(HandedBack::new(HandBackReason::UnknownTool));
        };
        let run = Run {
            executor: self,
            layers,
            task,
            starts,
            cancellation,
            link,
        };
        let span = worker_span::begin(self.traces(), task);
        let settlement = run.settlement().instrument(span.clone()).await?;
        end_in(&span, &settlement.outcome);
        Ok(match self.worker.max_payload {
            Some(most) => within(settlement, most),
            None => settlement,
        })
    }
}

/// One run of a task on a worker.
struct Run<'a> {
    executor: &'a Executor,
    layers: &'a Arc<ToolLayers>,
    task: &'a TaskSpec,
    starts: u32,
    cancellation: CancellationToken,
    link: Arc<dyn WorkerLink>,
}

/// End of a run before its function.
enum Early {
    Settled(TaskOutcome),
    HandedBack(HandedBack),
}

impl Run<'_> {
    async fn settlement(&self) -> Result<Settlement, HandedBack> {
        match self.run().await {
            Ok(settlement) => Ok(settlement),
            Err(Early::Settled(outcome)) => Ok(Settlement::new(outcome, self.starts)),
            Err(Early::HandedBack(handed_back)) => Err(handed_back),
        }
    }

    async fn run(&self) -> Result<Settlement, Early> {
        let options = &self.layers.options;
        let is_repeatable = options.effect.is_repeatable();
        if self.executor.worker.stop.is_cancelled() {
            return Err(Early::HandedBack(HandedBack::new(HandBackReason::Stopping)));
        }
        if self.starts >= self.executor.worker.max_starts.max(1) {
            return Err(Early::Settled(self.worn_out(is_repeatable)));
        }
        let reconciler = match (self.starts > 0 && !is_repeatable, &options.reconcile) {
            (false, _) => None,
            (true, Some(reconciler)) => Some(reconciler),
            (true, None) => {
                let why = "the worker that ran it was lost, and it must not be done twice";
                return Err(Early::Settled(TaskOutcome::Unknown(why.to_owned())));
            }
        };
        // Bound before the start is counted: arguments that don't fit start nothing. A lost run is looked for first, whatever its tool
        // takes now.
        let bound = match reconciler {
            None => Some(self.bound()?),
            Some(_) => None,
        };
        // One lost worker takes many innocent tasks along, at every kill of a machine. They run again side by side.
        let _alone = match self.starts {
            0 | 1 => None,
            _ => Some(self.in_line().await?),
        };
        self.save(self.starts.saturating_add(1))
            .await
            .map_err(Early::HandedBack)?;
        if let Some(reconciler) = reconciler {
            self.reconcile(reconciler).await?;
            if self.executor.worker.stop.is_cancelled() {
                return Err(self.hand_back(HandBackReason::Stopping).await);
            }
        }
        let call = match bound {
            Some(call) => call,
            None => self.bound()?,
        };
        self.call(call, is_repeatable).await
    }

    /// Outcome of a task that was started as often as it may be.
    fn worn_out(&self, is_repeatable: bool) -> TaskOutcome {
        let starts = self.starts;
        tracing::warn!(target: "async_tool::task", task = %self.task.task, tool = &*self.task.call.name, starts, "the workers of a task were lost each time it ran; it is not started again");
        if !is_repeatable {
            return TaskOutcome::Unknown(format!(
                "{starts} workers were lost while it ran or its outcome was looked for"
            ));
        }
        let error = ToolError::new(
            ToolErrorKind::Panicked,
            format!("{starts} workers were lost while the tool ran, so it is not started again"),
        );
        TaskOutcome::Failed(error.with_model_message(
            "the process that ran the tool was lost each time; the tool may be the cause, or another one beside it",
        ))
    }

    fn bound(&self) -> Result<BoundCall, Early> {
        let bound = self.layers.attempt.bind(&self.task.call.arguments);
        bound.map_err(|error| Early::Settled(TaskOutcome::Failed(error)))
    }

    /// Waits until no other suspect runs.
    async fn in_line(&self) -> Result<OwnedMutexGuard<()>, Early> {
        let WorkerSettings { stop, line, .. } = &self.executor.worker;
        let deadline = self.executor.deadline(self.task);
        tokio::select! {
            biased;
            () = self.cancellation.cancelled() => Err(Early::Settled(TaskOutcome::Cancelled(CANCELLED.to_owned()))),
            () = stop.cancelled() => Err(Early::HandedBack(HandedBack::new(HandBackReason::Stopping))),
            alone = Arc::clone(line).lock_owned() => Ok(alone),
            () = sleep_until_some(deadline) => Err(Early::Settled(TaskOutcome::Failed(past_deadline()))),
        }
    }

    /// Lets the engine keep the number of starts.
    async fn save(&self, starts: u32) -> Result<(), HandedBack> {
        let saved = unwind::finish("the link to the engine", || self.link.save(Heartbeat::new(starts))).await;
        let error: Box<dyn std::error::Error + Send + Sync> = match saved {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.into(),
            Err(panic) => panic.into(),
        };
        tracing::warn!(target: "async_tool::task", task = %self.task.task, error = words_of(&*error), "the engine could not keep the start of a task");
        Err(HandedBack::new(HandBackReason::Unsaved).with_source(error))
    }

    /// Gives the task back after its start was counted. That start ended in order, so it is taken off again.
    async fn hand_back(&self, reason: HandBackReason) -> Early {
        let _it_counts_then = self.save(self.starts).await;
        Early::HandedBack(HandedBack::new(reason))
    }

    /// Asks the tool for the outcome of the lost run; `Ok` if that was never started.
    async fn reconcile(&self, reconciler: &Reconciler) -> Result<(), Early> {
        let found = Arc::new(OnceLock::new());
        let call = reconciler.bind(self.task.call.arguments.clone(), Arc::clone(&found));
        let cell = self.cell(&self.cancellation);
        let ended = self
            .layers
            .attempt
            .run(&cell, call, self.executor.deadline(self.task))
            .await;
        let outcome = match (ended, found.get()) {
            (Ok(_), Some(Reconciled::NotStarted)) => return Ok(()),
            (Ok(_), Some(Reconciled::Waiting)) => return Err(self.hand_back(HandBackReason::Waiting).await),
            (Ok(_), Some(Reconciled::Completed(value))) => {
                match self.executor.check_result(&self.task.call.name, value) {
                    Ok(()) => TaskOutcome::Completed(value.clone()),
                    Err(problem) => TaskOutcome::Unknown(format!(
                        "the worker that ran it was lost, and what was found out is no result of the tool: {problem}"
                    )),
                }
            }
            (Ok(_), Some(Reconciled::Failed(error))) => outcome_of(Err(error.clone()), &cell),
            (Ok(_), Some(Reconciled::Unknown(why))) => TaskOutcome::Unknown(why.clone()),
            (Ok(_), None) => {
                TaskOutcome::Unknown("the worker that ran it was lost, and its outcome was not found out".to_owned())
            }
            (Err(error), _) => {
                tracing::warn!(target: "async_tool::task", task = %self.task.task, tool = &*self.task.call.name, kind = error.kind().as_str(), "it could not be found out what became of a task");
                TaskOutcome::Unknown(format!(
                    "the worker that ran it was lost, and it could not be found out what became of it: {}",
                    error.model_message()
                ))
            }
        };
        Err(Early::Settled(outcome))
    }

    /// Runs the function.
    async fn call(&self, call: BoundCall, is_repeatable: bool) -> Result<Settlement, Early> {
        let executor = self.executor;
        let token = self.cancellation.child();
        let cell = self.cell(&token);
        let mut run = pin!(executor.run(self.layers, &cell, call));
        let result = tokio::select! {
            biased;
            result = &mut run => result,
            () = executor.worker.stop.cancelled(), if is_repeatable => {
                cell.abandon();
                token.cancel();
                let limit = executor.stop_timeout().saturating_add(STOP_SLACK);
                let ended = timeout(limit, run).await;
                // A task that was cancelled besides has its own end.
                match ended {
                    Ok(result) if self.cancellation.is_cancelled() => result,
                    _ => return Err(self.hand_back(HandBackReason::Stopping).await),
                }
            }
        };
        let attempts = self.starts.saturating_add(cell.attempts());
        Ok(Settlement::new(outcome_of(result, &cell), attempts))
    }

    fn cell(&self, cancellation: &CancellationToken) -> Arc<TaskCell> {
        let task = TaskSpec {
            attempt: self.task.attempt.saturating_add(self.starts),
            ..self.task.clone()
        };
        let accepted = self.executor.now();
        let layers = Some(Arc::clone(self.layers));
        let cell = TaskCell::with_cancellation(task, accepted, layers, Weak::new(), cancellation.clone());
        cell.set_reporter(ProgressReporter::new(
            Arc::clone(&self.link),
            self.starts.saturating_add(1),
            self.executor.worker.max_payload,
        ));
        cell
    }
}

/// The settlement, with an error in place of an outcome that is too large for the engine.
fn within(settlement: Settlement, most: usize) -> Settlement {
    let Some(bytes) = json_bytes(&settlement).filter(|bytes| *bytes > most) else {
        return settlement;
    };
    // Room for the names of the fields, and for characters that take up to six bytes of JSON.
    let room = (most.saturating_sub(512) / 12).min(CUT_TEXT);
    let cut = |text: &str| shorten(text, room);
    let outcome = match settlement.outcome {
        TaskOutcome::Completed(_) => {
            let error = ToolError::new(
                ToolErrorKind::Internal,
                format!(
                    "the tool has done its work, but its result is lost: it takes {bytes} bytes as JSON, and the engine carries at most {most} bytes; the tool must return less, or keep the result elsewhere and return where it is (`result_limit` limits only what the model is shown)"
                ),
            );
            TaskOutcome::Failed(error.with_retryable(false))
        }
        TaskOutcome::Failed(error) => TaskOutcome::Failed(error.reworded(cut)),
        TaskOutcome::Cancelled(said) => TaskOutcome::Cancelled(cut(&said)),
        TaskOutcome::Unknown(why) => TaskOutcome::Unknown(cut(&why)),
    };
    Settlement::new(outcome, settlement.attempts)
}
