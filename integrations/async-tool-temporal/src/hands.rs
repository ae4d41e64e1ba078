//! Work of a worker on one task.
//!
//! The end of a task goes straight to the server, like its heartbeats, and is repeated until the server has it. The SDK's worker gives up after ten
//! seconds, and the result would be lost: the tool would run again, or its outcome would be unknown.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    CancellationToken, TaskOutcome, ToolError, ToolErrorKind,
    backend::{HandBackReason, HandedBack, Heartbeat, Settlement},
    manager::Executor,
};
use temporalio_client::{ActivityIdentifier, AsyncActivityHandle, Client, errors::AsyncActivityError};
use temporalio_sdk::{
    ApplicationFailure,
    activities::{ActivityContext, ActivityHeartbeatDetails},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::sleep,
};

use crate::{
    assignment::Assignment,
    pulse::{Pulse, call},
    refusal,
};

/// Pauses between two attempts to tell the server the end of a task.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Work of a worker on its tasks. Clones share the slots.
#[derive(Clone)]
pub(crate) struct Hands {
    client: Client,
    executor: Executor,
    signals: Signals,
    slots: Arc<Semaphore>,
    all: u32,
}

/// Ends of a worker.
#[derive(Clone, Default)]
pub(crate) struct Signals {
    /// Fires when the worker stops.
    pub(crate) stopping: CancellationToken,
    /// Fires when it has waited long enough for its tasks.
    pub(crate) abandon: CancellationToken,
}

impl Hands {
    pub(crate) fn new(client: Client, executor: Executor, signals: Signals, slots: u32) -> Self {
        Self {
            client,
            executor: executor.stopping_on(signals.stopping.clone()),
            signals,
            slots: Arc::new(Semaphore::new(slots as usize)),
            all: slots,
        }
    }

    /// Hands of the same worker, over another connection.
    pub(crate) fn over(&self, client: Client) -> Self {
        Self { client, ..self.clone() }
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Waits until no task runs.
    pub(crate) async fn idle(&self) {
        let _never_closed = self.slots.acquire_many(self.all).await;
    }

    /// Runs a task, and tells the server how it ended.
    pub(crate) async fn perform(&self, context: &ActivityContext, assignment: Assignment) {
        let token = ActivityIdentifier::from_task_token(context.info().task_token.clone().into());
        let before = known(context.heartbeat_details());
        let starts = before.starts;
        let pulse = Arc::new(Pulse::new(AsyncActivityHandle::new(self.client.clone(), token), before));
        let work = async {
            let _slot = self.slot(&pulse.cancellation()).await;
            let link = Arc::clone(&pulse);
            let task = &assignment.task;
            match self
                .executor
                .execute_linked(task, starts, pulse.cancellation(), link)
                .await
            {
                Ok(settlement) => settle(&pulse, settlement).await,
                Err(handed_back) => hand_back(&pulse, handed_back).await,
            }
        };
        // Whatever ends the wait drops the rest: a task that this worker has lost must not go on here.
        tokio::select! {
            biased;
            // First: a worker that has gone must count no start.
            () = self.signals.abandon.cancelled() => {}
            () = work => {}
            () = pulse.beat(assignment.beat()) => {
                tracing::debug!(target: "async_tool::temporal", task = %assignment.task.task, "the task was aborted, or another worker has it");
            }
        }
    }
}

impl Hands {
    /// Waits for a slot. It is free at once, unless tasks are left from an earlier one of the SDK's workers: each counts only its own. `None` if
    /// the worker stops or the task is cancelled, because the executor has an end for these.
    async fn slot(&self, cancelled: &CancellationToken) -> Option<SemaphorePermit<'_>> {
        tokio::select! {
            biased;
            slot = self.slots.acquire() => slot.ok(),
            () = self.signals.stopping.cancelled() => None,
            () = cancelled.cancelled() => None,
        }
    }
}

/// Number of starts that earlier attempts have saved. A number that can't be read counts as one: the task must not count as new.
fn known(details: &ActivityHeartbeatDetails) -> Heartbeat {
    match details.deserialize() {
        Ok(heartbeat) => heartbeat.unwrap_or_default(),
        Err(error) => {
            tracing::warn!(target: "async_tool::temporal", %error, "the starts of a task could not be read; one is assumed");
            Heartbeat::new(1)
        }
    }
}

async fn settle(pulse: &Pulse, mut settlement: Settlement) {
    let mut refused = false;
    let mut pause = FIRST_PAUSE;
    loop {
        let told = pulse.handle().complete(Some(settlement.clone()), call()).await;
        match told {
            Err(error) if may_be_over_soon(&error) => pause = wait(pause).await,
            Err(error) if !is_over(&error) && !refused => {
                tracing::error!(target: "async_tool::temporal", %error, "the server refused the end of a task");
                refused = true;
                settlement.outcome = unwelcome(&error);
            }
            ended => return note(ended),
        }
    }
}

async fn hand_back(pulse: &Pulse, handed_back: HandedBack) {
    // A worker that stops is no fault of the task; all other reasons get the pauses of the retry policy.
    let at_once = (handed_back.reason() == HandBackReason::Stopping).then_some(FIRST_PAUSE);
    let why = handed_back.to_string();
    if handed_back.reason() == HandBackReason::UnknownTool {
        tracing::warn!(target: "async_tool::temporal", "a task was handed back: {why}");
    }
    let latest = pulse.latest();
    let mut pause = FIRST_PAUSE;
    loop {
        let failure = ApplicationFailure::builder(why.clone())
            .type_name("HandedBack".to_owned())
            .maybe_next_retry_delay(at_once)
            .build();
        let told = pulse.handle().fail(failure, Some(latest.clone()), call()).await;
        match told {
            Err(error) if may_be_over_soon(&error) => pause = wait(pause).await,
            ended => return note(ended),
        }
    }
}

async fn wait(pause: Duration) -> Duration {
    sleep(pause).await;
    (pause * 2).min(LONGEST_PAUSE)
}

fn may_be_over_soon(error: &AsyncActivityError) -> bool {
    matches!(error, AsyncActivityError::Rpc(status) if refusal::is_outage(status))
}

fn is_over(error: &AsyncActivityError) -> bool {
    matches!(error, AsyncActivityError::NotFound(_))
}

/// An end in place of one that the server does not take.
fn unwelcome(error: &AsyncActivityError) -> TaskOutcome {
    let error = ToolError::new(
        ToolErrorKind::Internal,
        format!("Temporal did not take the result: {error}"),
    );
    TaskOutcome::Failed(
        error
            .with_retryable(false)
            .with_model_message("the result could not be kept; a smaller one may do"),
    )
}

fn note(told: Result<(), AsyncActivityError>) {
    if let Err(error) = told {
        tracing::warn!(target: "async_tool::temporal", %error, "the end of a task was not taken; it has ended, or another worker has it");
    }
}

#[cfg(test)]
mod tests {
    use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, task::TaskSpec};
    use futures_util::FutureExt as _;
    use serde_json::json;
    use temporalio_client::tonic::Status;
    use temporalio_common::protos::temporal::api::{
        failure::v1::failure::FailureInfo,
        workflowservice::v1::{RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest},
    };

    use super::*;
    use crate::fake::{self, Answer, Calls};

    const COMPLETE: &str = "RespondActivityTaskCompleted";
    const FAIL: &str = "RespondActivityTaskFailed";

    async fn pulse(respond: impl Fn(&str, usize) -> Option<Answer> + Send + Sync + 'static) -> (Pulse, Calls) {
        let (client, calls) = fake::client(respond).await;
        let token = ActivityIdentifier::from_task_token(vec![1].into());
        (
            Pulse::new(AsyncActivityHandle::new(client, token), Heartbeat::new(1)),
            calls,
        )
    }

    fn told(calls: &Calls) -> Vec<Settlement> {
        let requests: Vec<RespondActivityTaskCompletedRequest> = calls.of(COMPLETE);
        let results = requests
            .into_iter()
            .map(|request| request.result.unwrap().payloads.remove(0).data);
        results.map(|data| serde_json::from_slice(&data).unwrap()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_a_task_is_repeated_until_the_server_has_it() {
        let (pulse, calls) =
            pulse(|rpc, nth| (rpc == COMPLETE && nth < 100).then(|| Err(Status::unavailable("down")))).await;
        let end = Settlement::new(TaskOutcome::Completed(json!("done")), 1);
        let begun = tokio::time::Instant::now();
        settle(&pulse, end.clone()).await;
        assert!(begun.elapsed() > Duration::from_secs(60));
        let told = told(&calls);
        assert_eq!((told.len(), told.last()), (101, Some(&end)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_that_the_server_refuses_becomes_an_error() {
        let (pulse, calls) = pulse(|rpc, nth| {
            (rpc == COMPLETE && nth == 0).then(|| Err(Status::invalid_argument("blob size exceeds limit")))
        })
        .await;
        settle(&pulse, Settlement::new(TaskOutcome::Completed(json!("large")), 1)).await;
        let told = told(&calls);
        let error = told.last().and_then(|told| told.outcome.error()).unwrap();
        assert_eq!(told.len(), 2);
        assert!(error.message().contains("blob size") && !error.retryable(), "{error:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_is_not_admitted_for_a_while_keeps_the_end() {
        for status in [
            Status::unauthenticated("the key has expired"),
            Status::permission_denied("no"),
        ] {
            let (pulse, calls) =
                pulse(move |rpc, nth| (rpc == COMPLETE && nth < 20).then(|| Err(status.clone()))).await;
            let end = Settlement::new(TaskOutcome::Completed(json!("done")), 1);
            settle(&pulse, end.clone()).await;
            let told = told(&calls);
            assert_eq!((told.len(), told.last()), (21, Some(&end)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_of_two_connections_share_the_slots() {
        let (client, _) = fake::client(|_, _| None).await;
        let executor = AsyncToolManager::builder().build().unwrap().executor().clone();
        let signals = Signals::default();
        let first = Hands::new(client.clone(), executor, signals.clone(), 2);
        let second = first.over(client);
        let never = CancellationToken::new();
        assert!(first.idle().now_or_never().is_some());

        let (one, two) = (first.slot(&never).await, second.slot(&never).await);
        assert!(one.is_some() && two.is_some());
        assert!(first.slot(&never).now_or_never().is_none());
        assert!(second.idle().now_or_never().is_none());
        drop(one);
        let one = second.slot(&never).now_or_never().unwrap();
        assert!(one.is_some());

        // Neither waits for a slot.
        let cancelled = CancellationToken::new();
        cancelled.cancel();
        assert!(first.slot(&cancelled).await.is_none());
        signals.stopping.cancel();
        assert!(first.slot(&never).await.is_none());
        drop((one, two));
        first.idle().await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_that_nobody_waits_for_is_told_once() {
        let (pulse, calls) =
            pulse(|rpc, _| (rpc == COMPLETE).then(|| Err(Status::not_found("the attempt is over")))).await;
        settle(&pulse, Settlement::new(TaskOutcome::Completed(json!(1)), 1)).await;
        assert_eq!(told(&calls).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_without_its_tool_is_handed_back_with_its_starts() {
        let (pulse, calls) = pulse(|rpc, nth| (rpc == FAIL && nth < 3).then(|| Err(Status::unavailable("down")))).await;
        let executor = AsyncToolManager::builder().build().unwrap().executor().clone();
        let task = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "absent", json!({})));
        let handed_back = executor.execute(&task, 1, CancellationToken::new()).await.unwrap_err();
        hand_back(&pulse, handed_back).await;
        let requests: Vec<RespondActivityTaskFailedRequest> = calls.of(FAIL);
        assert_eq!(requests.len(), 4);
        let last = &requests[3];
        let Some(FailureInfo::ApplicationFailureInfo(info)) = &last.failure.as_ref().unwrap().failure_info else {
            panic!("{last:?}");
        };
        assert!(!info.non_retryable && info.next_retry_delay.is_none());
        let details = &last.last_heartbeat_details.as_ref().unwrap().payloads[0].data;
        assert_eq!(serde_json::from_slice::<Heartbeat>(details).unwrap().starts, 1);
    }
}
