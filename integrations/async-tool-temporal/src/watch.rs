//! Waits for a task: its end, and what its worker says meanwhile.

use std::{convert::Infallible, time::Duration};

use async_tool_runtime::{
    TaskId,
    backend::{BackendError, BackendErrorKind, Heartbeat, Heartbeats, Settlement},
};
use temporalio_client::{
    Client, NamespacedClient as _, RetryOptions, grpc::WorkflowService as _, request_extensions::RetryConfigForCall,
    tonic::IntoRequest as _,
};
use temporalio_common::{
    data_converters::{ActivitySerializationContext, SerializationContextData},
    payload_visitor::decode_payloads,
    protos::temporal::api::{
        activity::v1::activity_execution_outcome::Value,
        common::v1::Payloads,
        workflowservice::v1::{
            DescribeActivityExecutionRequest, DescribeActivityExecutionResponse, PollActivityExecutionRequest,
        },
    },
};
use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit},
    time::sleep,
};

use crate::{ending, refusal};

/// Most tasks that are watched at once, so that a server has calls left for their ends. More than these are watched in turns.
const WATCHED: usize = 200;

/// Age from which a task is watched. The end of a short task needs no news before it.
const FIRST: Duration = Duration::from_millis(500);

/// Shortest time between two looks at a task.
const PACE: Duration = Duration::from_secs(1);

/// End of a task, by long polls.
pub(crate) async fn end(client: &Client, task: TaskId) -> Result<Settlement, BackendError> {
    let outcome = loop {
        let request = PollActivityExecutionRequest {
            namespace: client.namespace(),
            activity_id: task.to_string(),
            run_id: String::new(),
        };
        let mut request = request.into_request();
        // The manager repeats it, and decides by the outage what a deadline means.
        let once = RetryConfigForCall(RetryOptions::no_retries());
        request.extensions_mut().insert(once);
        let answer = client.clone().poll_activity_execution(request).await;
        let answer = answer
            .map_err(|status| refusal::of_taken(status, "waiting for a task"))?
            .into_inner();
        // Without an outcome, the long poll has come to its end, and the task goes on.
        if let Some(value) = answer.outcome.and_then(|outcome| outcome.value) {
            break value;
        }
    };
    match outcome {
        Value::Result(payloads) => result(client, payloads).await,
        Value::Failure(mut failure) => {
            let codec = client.data_converter().codec();
            decode_payloads(&mut failure, codec, &context())
                .await
                .map_err(unreadable)?;
            let starts = describe(client, task, &Position::default()).await.ok();
            let starts = match starts {
                Some(described) => heartbeat(client, &described)
                    .await
                    .map_or(0, |heartbeat| heartbeat.starts),
                None => 0,
            };
            Ok(Settlement::new(ending::outcome(&failure), starts))
        }
    }
}

async fn result(client: &Client, payloads: Payloads) -> Result<Settlement, BackendError> {
    let read = client
        .data_converter()
        .from_payloads(&context(), payloads.payloads)
        .await;
    read.map_err(unreadable)
}

/// News of running tasks.
pub(crate) struct Watch {
    places: Semaphore,
    /// Notified by a task that waits for a place. One long poll then ends.
    wanted: Notify,
}

impl Watch {
    pub(crate) const fn new() -> Self {
        Self {
            places: Semaphore::const_new(WATCHED),
            wanted: Notify::const_new(),
        }
    }

    /// Waits for a place.
    async fn place(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(place) = self.places.try_acquire() {
            return Some(place);
        }
        self.wanted.notify_one();
        self.places.acquire().await.ok()
    }

    /// Passes on what a task's worker says, until it is dropped.
    pub(crate) async fn follow(&self, client: &Client, task: TaskId, heartbeats: &Heartbeats) -> Infallible {
        sleep(FIRST).await;
        let mut position = Position::default();
        let mut told = None;
        loop {
            let _place = self.place().await;
            // While others wait for the place, a long poll would hold them up.
            let since = match self.places.available_permits() {
                0 => &Position::default(),
                _ => &position,
            };
            let looked = tokio::select! {
                biased;
                looked = describe(client, task, since) => Some(looked),
                () = self.wanted.notified(), if !since.token.is_empty() => None,
            };
            match looked {
                Some(Ok(described)) => {
                    position.go_on(&described);
                    let said = heartbeat(client, &described).await;
                    if let Some(heartbeat) = said.filter(|heartbeat| told.as_ref() != Some(heartbeat)) {
                        told = Some(heartbeat.clone());
                        heartbeats.tell(heartbeat);
                    }
                }
                // The end of the task says so, too.
                Some(Err(error)) if error.kind() != BackendErrorKind::Unreachable => break,
                None | Some(Err(_)) => {}
            }
            // The place is kept meanwhile, which limits the calls of all tasks together.
            sleep(PACE).await;
        }
        std::future::pending().await
    }
}

/// State of the task up to which a long poll has seen it.
#[derive(Default)]
struct Position {
    run: String,
    token: Vec<u8>,
}

impl Position {
    /// A long poll that has come to its end says nothing, and the position stays.
    fn go_on(&mut self, described: &DescribeActivityExecutionResponse) {
        if !described.long_poll_token.is_empty() && !described.run_id.is_empty() {
            self.run.clone_from(&described.run_id);
            self.token.clone_from(&described.long_poll_token);
        }
    }
}

/// Describes a task: at once, or as soon as its state is another one than that of the position.
async fn describe(
    client: &Client,
    task: TaskId,
    position: &Position,
) -> Result<DescribeActivityExecutionResponse, BackendError> {
    let request = DescribeActivityExecutionRequest {
        namespace: client.namespace(),
        activity_id: task.to_string(),
        run_id: position.run.clone(),
        long_poll_token: position.token.clone(),
        include_heartbeat_details: true,
        ..Default::default()
    };
    let answer = client.clone().describe_activity_execution(request.into_request()).await;
    Ok(answer
        .map_err(|status| refusal::of_taken(status, "watching a task"))?
        .into_inner())
}

/// The last heartbeat. One that can't be read, such as that of another program's activity, is none.
async fn heartbeat(client: &Client, described: &DescribeActivityExecutionResponse) -> Option<Heartbeat> {
    let details = described.info.as_ref()?.heartbeat_details.clone()?;
    client
        .data_converter()
        .from_payloads(&context(), details.payloads)
        .await
        .ok()
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> BackendError {
    BackendError::refused("the end of the task could not be read").with_source(error)
}

fn context() -> SerializationContextData {
    SerializationContextData::Activity(ActivitySerializationContext::new())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use prost::Message as _;
    use temporalio_common::protos::temporal::api::{activity::v1::ActivityExecutionInfo, common::v1::Payload};

    use super::*;
    use crate::fake::{self, answer};

    const DESCRIBE: &str = "DescribeActivityExecution";

    /// Description of a task with a heartbeat.
    fn described() -> DescribeActivityExecutionResponse {
        let beats = Payload {
            metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
            data: serde_json::to_vec(&Heartbeat::new(1)).unwrap(),
            ..Default::default()
        };
        DescribeActivityExecutionResponse {
            info: Some(ActivityExecutionInfo {
                heartbeat_details: Some(Payloads { payloads: vec![beats] }),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    /// Follows new tasks, and counts those of which something was heard.
    fn follow(count: usize, client: &Client, watch: &Arc<Watch>, told: &Arc<Mutex<usize>>) {
        for _ in 0..count {
            let (client, watch, told) = (client.clone(), Arc::clone(watch), Arc::clone(told));
            tokio::spawn(async move {
                let heartbeats = Heartbeats::new(move |_| *told.lock().unwrap() += 1);
                watch.follow(&client, TaskId::new(), &heartbeats).await
            });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_with_nothing_to_tell_hold_up_no_others() {
        let (client, _) = fake::slow_client(|call| {
            Box::pin(async move {
                if call.rpc != DESCRIBE {
                    return None;
                }
                let request = DescribeActivityExecutionRequest::decode(&*call.proto).unwrap();
                if !request.long_poll_token.is_empty() {
                    // A long poll in which nothing happens.
                    sleep(Duration::from_secs(60)).await;
                    return None;
                }
                Some(answer(DescribeActivityExecutionResponse {
                    run_id: "run".to_owned(),
                    long_poll_token: b"seen".to_vec(),
                    ..described()
                }))
            })
        })
        .await;
        let (watch, told) = (Arc::new(Watch::new()), Arc::new(Mutex::new(0)));
        follow(WATCHED - 1, &client, &watch, &told);
        sleep(Duration::from_secs(5)).await;
        assert_eq!(*told.lock().unwrap(), WATCHED - 1);
        follow(WATCHED, &client, &watch, &told);
        sleep(Duration::from_secs(5)).await;
        assert_eq!(*told.lock().unwrap(), 2 * WATCHED - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn all_tasks_are_watched_in_turns_if_there_are_more_than_places() {
        let (client, calls) = fake::client(move |rpc, _| (rpc == DESCRIBE).then(|| answer(described()))).await;
        let (watch, told) = (Arc::new(Watch::new()), Arc::new(Mutex::new(0)));
        follow(3 * WATCHED, &client, &watch, &told);
        sleep(Duration::from_secs(10)).await;
        assert_eq!(*told.lock().unwrap(), 3 * WATCHED);
        let looks = calls.of::<DescribeActivityExecutionRequest>(DESCRIBE).len();
        assert!(looks <= 11 * WATCHED, "{looks} looks in ten seconds");
    }
}
