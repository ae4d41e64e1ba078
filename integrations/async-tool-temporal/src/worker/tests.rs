//! Workers against a server that is a closure.

use std::{future::pending, sync::Arc};

use async_tool_runtime::{
    AsyncToolManager, FunctionTool, SessionId, TaskOutcome, ToolCall, ToolContext,
    backend::Settlement,
    task::TaskSpec,
    tool::{BoundCall, Effect, ToolDefinition},
};
use serde_json::json;
use temporalio_client::tonic::{Code, Status};
use temporalio_common::protos::temporal::api::{
    common::v1::{ActivityType, Payload, Payloads},
    workflowservice::v1::{PollActivityTaskQueueResponse, RespondActivityTaskCompletedRequest},
};
use tokio::sync::Semaphore;

use super::*;
use crate::{
    assignment::{ACTIVITY, Assignment},
    fake::{self, Answer, Calls, answer},
};

const COMPLETE: &str = "RespondActivityTaskCompleted";
const POLL: &str = "PollActivityTaskQueue";

/// A moment that one side reaches and the other waits for.
#[derive(Clone)]
struct Moment(Arc<Semaphore>);

impl Moment {
    fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    fn reach(&self) {
        self.0.add_permits(1);
    }

    async fn wait(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

/// A worker's executor with the tool `pay`, which must not happen twice. It says that it has begun, and ends when it is told.
fn executor(begun: &Moment, goes_on: &Moment) -> Executor {
    let (begun, goes_on) = (begun.clone(), goes_on.clone());
    let pay = ToolDefinition::new("pay", "Pays.", json!({"type": "object"}));
    let pay = FunctionTool::from_parts(pay, move |_| {
        let (begun, goes_on) = (begun.clone(), goes_on.clone());
        Ok(BoundCall::future(move |_: ToolContext| async move {
            begun.reach();
            goes_on.wait().await;
            Ok(json!("paid"))
        }))
    });
    let manager = AsyncToolManager::builder().tool(pay.effect(Effect::Once)).build();
    manager.unwrap().executor().clone()
}

/// A task for a worker.
fn task() -> Answer {
    let task = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "pay", json!({})));
    let id = task.task.to_string();
    let input = Payload {
        metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
        data: serde_json::to_vec(&Assignment::new(task, Duration::from_millis(700))).unwrap(),
        ..Default::default()
    };
    answer(PollActivityTaskQueueResponse {
        task_token: id.clone().into_bytes(),
        activity_id: id,
        activity_type: Some(ActivityType {
            name: ACTIVITY.to_owned(),
        }),
        input: Some(Payloads { payloads: vec![input] }),
        attempt: 1,
        ..Default::default()
    })
}

fn told(calls: &Calls) -> Vec<TaskOutcome> {
    let requests: Vec<RespondActivityTaskCompletedRequest> = calls.of(COMPLETE);
    let results = requests
        .into_iter()
        .map(|request| request.result.unwrap().payloads.remove(0).data);
    results
        .map(|data| serde_json::from_slice::<Settlement>(&data).unwrap().outcome)
        .collect()
}

#[tokio::test]
async fn a_worker_that_is_not_admitted_for_a_while_works_again() {
    let (begun, goes_on, done) = (Moment::new(), Moment::new(), Moment::new());
    goes_on.reach();
    let ended = done.clone();
    let (client, calls) = fake::slow_client(move |call| {
        let ended = ended.clone();
        Box::pin(async move {
            match (&*call.rpc, call.nth) {
                // Between the connection and the SDK's worker, and at a look whether it is over.
                ("DescribeNamespace", 1) => Some(Err(Status::unauthenticated("the key has expired"))),
                ("DescribeNamespace", 2) => Some(Err(Status::permission_denied("no"))),
                (POLL, 0) => Some(task()),
                (POLL | "PollWorkflowTaskQueue" | "PollNexusTaskQueue", _) => pending().await,
                (COMPLETE, _) => {
                    ended.reach();
                    None
                }
                _ => None,
            }
        })
    })
    .await;
    let worker = TemporalWorker::new(client, "tools", executor(&begun, &goes_on));
    worker.run(async { done.wait().await }).await.unwrap();
    assert_eq!(told(&calls), [TaskOutcome::Completed(json!("paid"))]);
}

#[tokio::test]
async fn a_worker_that_is_not_admitted_at_first_says_so() {
    let (client, _) =
        fake::client(|rpc, _| (rpc == "DescribeNamespace").then(|| Err(Status::permission_denied("no")))).await;
    let worker = TemporalWorker::new(client, "tools", executor(&Moment::new(), &Moment::new()));
    let error = worker.run(pending()).await.unwrap_err();
    assert_eq!(error.kind(), TemporalErrorKind::Refused);
}

#[tokio::test]
async fn a_worker_that_can_not_go_on_tells_the_ends_of_its_calls_first() {
    let (begun, goes_on) = (Moment::new(), Moment::new());
    let executor = executor(&begun, &goes_on);
    let (client, calls) = fake::slow_client(move |call| {
        let (begun, goes_on) = (begun.clone(), goes_on.clone());
        Box::pin(async move {
            match (&*call.rpc, call.nth) {
                (POLL, 0) => Some(task()),
                // One of the few answers that the SDK takes for the end of a worker at once.
                (POLL, 1) => {
                    begun.wait().await;
                    Some(Err(Status::resource_exhausted(
                        "grpc: received message larger than max",
                    )))
                }
                (POLL | "PollWorkflowTaskQueue" | "PollNexusTaskQueue", _) => pending().await,
                // The SDK's worker is about to end.
                ("ShutdownWorker", _) => {
                    goes_on.reach();
                    None
                }
                _ => None,
            }
        })
    })
    .await;
    let error = TemporalWorker::new(client, "tools", executor)
        .run(pending())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), TemporalErrorKind::Worker);
    let status = refusal::status_of(&error).unwrap();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(told(&calls), [TaskOutcome::Completed(json!("paid"))]);
}
