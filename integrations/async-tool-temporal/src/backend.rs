//! The agent's side.

use std::{pin::pin, sync::Arc, time::Duration};

use async_tool_runtime::{
    SessionId, TaskId,
    backend::{Backend, BackendCapabilities, BackendError, CancelMode, Heartbeats, Settlement},
    future::BoxFuture,
    task::TaskSpec,
};
use temporalio_client::{
    ActivityCancelOptions, ActivityHandle, ActivityTerminateOptions, Client,
    errors::{ActivityInteractionError, StartActivityError},
    tonic::Code,
};

use crate::{
    activity::AsyncTool,
    assignment::{Assignment, beat},
    connect::Connect,
    open, refusal,
    server::{Limits, Server},
    start,
    watch::{self, Watch},
};

/// Engine whose tasks are standalone activities of a Temporal server.
///
/// A task is an activity of the type `async_tool`, whose id is the task's id. Every process that runs a
/// [`TemporalWorker`](crate::TemporalWorker) on the same queue can take it. Cheap to clone.
///
/// ```no_run
/// use async_tool_runtime::{AsyncToolManager, async_tool, tools};
/// use async_tool_temporal::TemporalBackend;
///
/// /// Count the letters of a word.
/// #[async_tool(effect = "read")]
/// async fn count_letters(
///     /// The word.
///     word: String,
/// ) -> usize {
///     word.chars().count()
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let backend = TemporalBackend::connect("http://127.0.0.1:7233").queue("tools").await?;
/// // The agent's process needs the tools for their definitions; the functions run on workers.
/// let manager = AsyncToolManager::builder().tools(tools![count_letters]).backend(backend).build()?;
/// # drop(manager);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TemporalBackend(Arc<Parts>);

/// Connection and settings of a backend, checked by [`Connect`].
pub(crate) struct Parts {
    pub(crate) client: Client,
    pub(crate) queue: String,
    pub(crate) heartbeat: Duration,
    pub(crate) cancel_latency: Duration,
    pub(crate) limits: Limits,
    pub(crate) watch: Watch,
}

impl TemporalBackend {
    /// Connects to a server, given as address or as [`Server`]. Await the returned value after its settings.
    pub fn connect(server: impl Into<Server>) -> Connect {
        Connect::new(server.into())
    }

    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    fn activity(&self, task: TaskId) -> ActivityHandle<Client, AsyncTool> {
        self.0.client.get_activity_handle(AsyncTool, task.to_string(), None)
    }
}

impl std::fmt::Debug for TemporalBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TemporalBackend")
            .field("queue", &self.0.queue)
            .finish_non_exhaustive()
    }
}

impl Backend for TemporalBackend {
    fn submit(&self, task: TaskSpec) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(async move {
            let parts = &self.0;
            let options = start::options(&task, &parts.queue, parts.heartbeat, start::now());
            let assignment = Assignment::new(task, beat(parts.cancel_latency));
            match parts.client.start_activity(AsyncTool, assignment, options).await {
                Ok(_) | Err(StartActivityError::AlreadyStarted { .. }) => Ok(()),
                Err(StartActivityError::Rpc(status)) if status.code() == Code::AlreadyExists => Ok(()),
                Err(StartActivityError::Rpc(status)) => Err(refusal::of(status, "starting a task")),
                Err(error) => {
                    Err(BackendError::refused("the task could not be written for Temporal").with_source(error))
                }
            }
        })
    }

    fn outcome(&self, task: TaskId, heartbeats: Heartbeats) -> BoxFuture<'_, Result<Settlement, BackendError>> {
        Box::pin(async move {
            let end = pin!(watch::end(&self.0.client, task));
            let watch = pin!(self.0.watch.follow(&self.0.client, task, &heartbeats));
            tokio::select! {
                biased;
                end = end => end,
                // Follows until it is dropped.
                never = watch => match never {},
            }
        })
    }

    fn cancel<'a>(
        &'a self,
        task: TaskId,
        mode: CancelMode,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), BackendError>> {
        Box::pin(async move {
            let activity = self.activity(task);
            let told = match mode {
                CancelMode::Abort => {
                    activity
                        .terminate(ActivityTerminateOptions::builder().reason(reason).build())
                        .await
                }
                _ => {
                    activity
                        .cancel(ActivityCancelOptions::builder().reason(reason).build())
                        .await
                }
            };
            match told {
                Ok(()) | Err(ActivityInteractionError::NotFound(_)) => Ok(()),
                Err(ActivityInteractionError::Rpc(status)) if refusal::is_over(&status) => Ok(()),
                Err(ActivityInteractionError::Rpc(status)) => Err(refusal::of(status, "cancelling a task")),
                Err(error) => {
                    Err(BackendError::refused("the cancellation could not be written for Temporal").with_source(error))
                }
            }
        })
    }

    fn open_tasks<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Vec<TaskId>, BackendError>> {
        Box::pin(open::tasks(&self.0.client, &self.0.queue, session))
    }

    fn capabilities(&self) -> BackendCapabilities {
        let capabilities = BackendCapabilities::default()
            .with_durable(true)
            .with_cancel_latency(self.0.cancel_latency)
            .with_max_payload(self.0.limits.payload);
        match self.0.limits.retention {
            Some(retention) => capabilities.with_retention(retention),
            None => capabilities,
        }
    }
}

#[cfg(test)]
mod tests {
    use async_tool_runtime::{
        AsyncToolManager, FunctionTool, TaskOutcome, ToolCall,
        backend::BackendErrorKind,
        tool::{BoundCall, Effect, ToolDefinition},
    };
    use serde_json::json;
    use temporalio_client::tonic::Status;
    use temporalio_common::protos::temporal::api::{
        activity::v1::{ActivityExecutionOutcome, activity_execution_outcome},
        common::v1::{Payload, Payloads},
        workflowservice::v1::{PollActivityExecutionResponse, StartActivityExecutionRequest},
    };

    use super::*;
    use crate::fake::{self, Answer, Calls, answer};

    async fn backend(
        respond: impl Fn(&str, usize) -> Option<Answer> + Send + Sync + 'static,
    ) -> (TemporalBackend, Calls) {
        let (client, calls) = fake::client(respond).await;
        (TemporalBackend::connect(client).queue("tools").await.unwrap(), calls)
    }

    fn task() -> TaskSpec {
        TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "add", json!({"a": 1})))
    }

    fn completed(settlement: &Settlement) -> Answer {
        ended(&serde_json::to_vec(settlement).unwrap())
    }

    fn ended(json: &[u8]) -> Answer {
        let payload = Payload {
            metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
            data: json.to_vec(),
            ..Default::default()
        };
        answer(PollActivityExecutionResponse {
            outcome: Some(ActivityExecutionOutcome {
                value: Some(activity_execution_outcome::Value::Result(Payloads {
                    payloads: vec![payload],
                })),
                ..Default::default()
            }),
            ..Default::default()
        })
    }

    #[tokio::test(start_paused = true)]
    async fn the_capabilities_are_those_of_the_namespace() {
        let (backend, _) = backend(|_, _| None).await;
        let capabilities = backend.capabilities();
        assert!(capabilities.durable);
        assert_eq!(capabilities.max_payload, Some(100_000 - 1024));
        assert_eq!(capabilities.retention, Some(Duration::from_secs(3_600)));
        assert_eq!(capabilities.cancel_latency, Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_the_server_has_is_submitted_without_effect() {
        let answers: [Option<Answer>; 2] = [None, Some(Err(Status::already_exists("it has ended")))];
        let (backend, calls) =
            backend(move |rpc, nth| answers[nth.min(1)].clone().filter(|_| rpc == "StartActivityExecution")).await;
        let task = task();
        backend.submit(task.clone()).await.unwrap();
        backend.submit(task.clone()).await.unwrap();
        let requests: Vec<StartActivityExecutionRequest> = calls.of("StartActivityExecution");
        assert_eq!(requests.len(), 2);
        for request in requests {
            assert_eq!(request.activity_id, task.task.to_string());
            let input: Assignment = serde_json::from_slice(&request.input.unwrap().payloads[0].data).unwrap();
            assert_eq!(input.beat(), Duration::from_millis(700));
            assert_eq!(input.task, task);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failures_of_submit_say_if_a_later_one_may_succeed() {
        for (status, kind) in [
            (Status::unavailable("down"), BackendErrorKind::Unreachable),
            (Status::invalid_argument("too large"), BackendErrorKind::Refused),
            (Status::permission_denied("no"), BackendErrorKind::Refused),
        ] {
            let (backend, _) =
                backend(move |rpc, _| (rpc == "StartActivityExecution").then(|| Err(status.clone()))).await;
            assert_eq!(backend.submit(task()).await.unwrap_err().kind(), kind);
        }
    }

    /// A manager whose tool `add` runs on the backend.
    fn manager(backend: TemporalBackend, effect: Effect) -> AsyncToolManager {
        let add = ToolDefinition::new("add", "Adds.", json!({"type": "object"}));
        let add = FunctionTool::from_parts(add, |_| Ok(BoundCall::future(|_| std::future::pending()))).effect(effect);
        AsyncToolManager::builder().tool(add).backend(backend).build().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_of_minutes_is_waited_out() {
        for status in [
            Status::unavailable("down"),
            Status::unauthenticated("the key has expired"),
        ] {
            let end = Settlement::new(TaskOutcome::Completed(json!(3)), 1);
            let (backend, calls) = backend(move |rpc, nth| match (rpc, nth) {
                ("PollActivityExecution", 0..30) => Some(Err(status.clone())),
                // A long poll without an end.
                ("PollActivityExecution", 30..32) => Some(Ok(Vec::new())),
                ("PollActivityExecution", _) => Some(completed(&end)),
                _ => None,
            })
            .await;
            let begun = tokio::time::Instant::now();
            let task = manager(backend, Effect::Once).submit_task(task()).unwrap();
            assert_eq!(task.outcome().await.outcome.value(), Some(&json!(3)));
            assert!(begun.elapsed() > Duration::from_secs(60), "{:?}", begun.elapsed());
            let started = calls.of::<StartActivityExecutionRequest>("StartActivityExecution");
            assert_eq!(started.len(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_at_the_deadline_ends_a_task_by_its_effect() {
        for (effect, is_unknown) in [(Effect::Read, false), (Effect::Once, true)] {
            let is_out = |rpc: &str| rpc.starts_with("Poll") || rpc.starts_with("RequestCancel");
            let (backend, _) = backend(move |rpc, _| is_out(rpc).then(|| Err(Status::unavailable("down")))).await;
            let task = task().with_deadline(start::now().after(Duration::from_secs(5)));
            let task = manager(backend, effect).submit_task(task).unwrap();
            let outcome = task.outcome().await.outcome.clone();
            assert_eq!(matches!(outcome, TaskOutcome::Unknown(_)), is_unknown, "{outcome:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_the_server_does_not_have_is_not_found() {
        let (backend, _) =
            backend(|rpc, _| (rpc == "PollActivityExecution").then(|| Err(Status::not_found("no such activity"))))
                .await;
        let error = backend.outcome(TaskId::new(), Heartbeats::ignored()).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::NotFound);
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_that_can_not_be_read_is_no_reason_to_run_the_tool_again() {
        let (backend, _) =
            backend(move |rpc, _| (rpc == "PollActivityExecution").then(|| ended(b"{\"later\": true}"))).await;
        let error = backend.outcome(TaskId::new(), Heartbeats::ignored()).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Refused);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_ended_can_be_cancelled() {
        for status in [
            Status::not_found("gone"),
            Status::failed_precondition("activity is in terminal state"),
        ] {
            let is_end = |rpc: &str| rpc.starts_with("RequestCancel") || rpc.starts_with("Terminate");
            let (backend, _) = backend(move |rpc, _| is_end(rpc).then(|| Err(status.clone()))).await;
            backend.cancel(TaskId::new(), CancelMode::Cancel, "why").await.unwrap();
            backend.cancel(TaskId::new(), CancelMode::Abort, "why").await.unwrap();
        }
        let (down, _) = backend(|rpc, _| {
            rpc.starts_with("RequestCancel")
                .then(|| Err(Status::unavailable("down")))
        })
        .await;
        let error = down.cancel(TaskId::new(), CancelMode::Cancel, "why").await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Unreachable);
    }
}
