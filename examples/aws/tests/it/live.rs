//! Tests on AWS or a stand-in with the deployment. `tests/aws/run` runs them; they are ignored otherwise.
//!
//! `ASYNC_TOOL_AWS_PREFIX` is the prefix of the deployment.

use std::{
    env,
    sync::Arc,
    time::{Duration, Instant},
};

use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, TaskId, TaskOutcome, ToolErrorKind, tools};
use aws::{
    Cloud, Completion, Names, Order, Poller, Received, Settled, fault, settle,
    tools::{Reports, call_api, order_report},
};
use aws_sdk_lambda::{primitives::Blob, types::InvocationType};
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

use crate::told::told;

async fn cloud() -> Cloud {
    let prefix = env::var("ASYNC_TOOL_AWS_PREFIX").expect("ASYNC_TOOL_AWS_PREFIX names the deployment");
    Cloud::connect(Names::new(prefix)).await.unwrap()
}

/// A queue for one test, so that the tests don't take each other's messages.
async fn queue(cloud: &Cloud, name: &str) -> Poller {
    let name = format!("{}-test-{name}-{}", cloud.names.prefix, TaskId::new());
    let create = cloud.sqs.create_queue().queue_name(&name);
    let create = create.attributes(QueueAttributeName::VisibilityTimeout, "1");
    create.send().await.unwrap();
    Poller::open(cloud, name).await.unwrap()
}

async fn remove(cloud: &Cloud, poller: Poller) {
    cloud.sqs.delete_queue().queue_url(poller.url()).send().await.unwrap();
}

async fn agent(cloud: &Cloud, poller: &Poller, within: Duration) -> AsyncAgent {
    let manager = AsyncToolManager::builder()
        .tools(tools![call_api, order_report])
        .state(cloud.clone())
        .state(Reports {
            function: cloud.names.report(),
            reply_to: poller.url().to_owned(),
            within,
        })
        .build()
        .unwrap();
    AsyncAgent::builder(RulePlanner::new(), manager).start().await.unwrap()
}

async fn message(poller: &Poller) -> Received {
    let mut messages = poller.receive(Duration::from_secs(20), None).await.unwrap();
    messages.pop().expect("a message comes within 20 s")
}

#[tokio::test]
#[ignore = "needs a deployment"]
async fn an_event_has_no_payload_so_a_tool_can_not_read_its_result() {
    let cloud = cloud().await;
    let payload = Blob::new(json!({"path": "/prices/tea"}).to_string());
    let ask = |kind| {
        cloud
            .lambda
            .invoke()
            .function_name(cloud.names.api())
            .payload(payload.clone())
            .invocation_type(kind)
    };
    let event = ask(InvocationType::Event).send().await.unwrap();
    assert_eq!(event.status_code(), 202);
    assert_eq!(event.payload().map_or(0, |payload| payload.as_ref().len()), 0);
    let waited = ask(InvocationType::RequestResponse).send().await.unwrap();
    assert_eq!(waited.status_code(), 200);
    let answer: Value = serde_json::from_slice(waited.payload().unwrap().as_ref()).unwrap();
    assert_eq!(answer["cents"], 650);
}

#[tokio::test]
#[ignore = "needs a deployment"]
async fn two_calls_together_take_less_than_one_and_a_half_times_as_long_as_one() {
    let cloud = cloud().await;
    let poller = queue(&cloud, "calls").await;
    // Two functions are started, so that none is while the time is taken.
    for _ in 0..2 {
        let agent = agent(&cloud, &poller, Duration::from_secs(60)).await;
        agent
            .run_to_completion("call_api path=/prices/tea; call_api path=/prices/honey")
            .await
            .unwrap();
    }
    let mut times = Vec::new();
    for message in [
        "call_api path=/prices/tea",
        "call_api path=/prices/tea; call_api path=/prices/honey",
    ] {
        let agent = agent(&cloud, &poller, Duration::from_secs(60)).await;
        let begun = Instant::now();
        agent.run_to_completion(message).await.unwrap();
        times.push(begun.elapsed().as_secs_f64());
    }
    let ratio = times[1] / times[0];
    println!(
        "figure: {:.0} ms and {:.0} ms, {ratio:.2} times as long",
        1e3 * times[0],
        1e3 * times[1]
    );
    assert!(times[0] >= 0.3 && ratio < 1.6, "{times:?}");
    remove(&cloud, poller).await;
}

#[tokio::test]
#[ignore = "needs a deployment"]
async fn a_report_comes_through_the_queue_and_its_duplicate_is_told_once() {
    let cloud = cloud().await;
    let poller = queue(&cloud, "duplicates").await;
    let agent = agent(&cloud, &poller, Duration::from_secs(60)).await;
    agent.send("order_report customer=ann").await.unwrap();
    let first = message(&poller).await;
    let again = cloud
        .sqs
        .send_message()
        .queue_url(poller.url())
        .message_body(&first.body);
    again.send().await.unwrap();
    let completion = Completion::read(&first.body).unwrap();
    assert_eq!(settle(agent.manager(), &completion).await, Ok(Settled::First));
    poller.delete(&first).await.unwrap();
    let second = message(&poller).await;
    assert_eq!(second.body, first.body);
    assert_eq!(
        settle(agent.manager(), &Completion::read(&second.body).unwrap()).await,
        Ok(Settled::Before)
    );
    poller.delete(&second).await.unwrap();
    let report = json!({"customer": "ann", "orders": 3, "cents": 2815});
    assert_eq!(told(&agent).await, [TaskOutcome::Completed(report)]);
    remove(&cloud, poller).await;
}

#[tokio::test]
#[ignore = "needs a deployment"]
async fn a_message_that_was_not_deleted_comes_again() {
    let cloud = cloud().await;
    let poller = queue(&cloud, "again").await;
    cloud
        .sqs
        .send_message()
        .queue_url(poller.url())
        .message_body("hello")
        .send()
        .await
        .unwrap();
    let first = message(&poller).await;
    let second = message(&poller).await;
    assert_eq!((first.body, first.times, second.times), (second.body.clone(), 1, 2));
    poller.delete(&second).await.unwrap();
    assert!(poller.receive(Duration::from_secs(2), None).await.unwrap().is_empty());
    remove(&cloud, poller).await;
}

/// The destination of failures is the deployment's queue of completions, which other tests and programs leave alone meanwhile.
#[tokio::test]
#[ignore = "needs a deployment"]
async fn a_function_that_failed_ends_its_task_as_an_error_before_the_deadline() {
    let cloud = cloud().await;
    let poller = Poller::open(&cloud, cloud.names.completions()).await.unwrap();
    let agent = agent(&cloud, &poller, Duration::from_secs(60)).await;
    let begun = Instant::now();
    agent.send("order_report customer=zoe").await.unwrap();
    let told = tokio::select! {
        told = told(&agent) => told,
        ended = poller.run(agent.manager(), std::future::pending()) => panic!("{ended:?}"),
    };
    let took = begun.elapsed();
    println!("figure: after {} ms", took.as_millis());
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert!(
        matches!(&told[..], [TaskOutcome::Failed(error)] if error.kind() == ToolErrorKind::Failed
            && error.message().contains("zoe has no orders")),
        "{told:?}"
    );
}

#[tokio::test]
#[ignore = "needs a deployment"]
async fn what_never_comes_ends_at_the_deadline() {
    let cloud = cloud().await;
    let poller = queue(&cloud, "deadline").await;
    let agent = agent(&cloud, &poller, Duration::from_millis(400)).await;
    agent.send("order_report customer=ann").await.unwrap();
    // The report goes to a queue that is not read in time.
    let told = told(&agent).await;
    assert!(
        matches!(&told[..], [TaskOutcome::Failed(error)] if error.kind() == ToolErrorKind::Timeout),
        "{told:?}"
    );
    let late = Completion::read(&message(&poller).await.body).unwrap();
    assert_eq!(settle(agent.manager(), &late).await, Ok(Settled::Before));
    remove(&cloud, poller).await;
}

#[tokio::test]
#[ignore = "needs a deployment"]
async fn a_function_that_runs_twice_for_one_order_completes_its_task_once() {
    let cloud = cloud().await;
    let poller = queue(&cloud, "twice").await;
    let agent = agent(&cloud, &poller, Duration::from_secs(60)).await;
    agent.send("order_report customer=bob").await.unwrap();
    let parked = agent.run_until_parked().await.unwrap();
    let order = Order {
        task: parked.waits[0].task,
        session: agent.session().clone(),
        idempotency_key: parked.waits[0].task.to_string(),
        customer: "bob".into(),
        reply_to: poller.url().to_owned(),
    };
    let invoke = cloud.lambda.invoke().function_name(cloud.names.report());
    let invoke = invoke.payload(Blob::new(serde_json::to_vec(&order).unwrap()));
    assert!(invoke.send().await.unwrap().function_error().is_none());
    let mut settled = Vec::new();
    while settled.len() < 2 {
        let message = message(&poller).await;
        settled.push(
            settle(agent.manager(), &Completion::read(&message.body).unwrap())
                .await
                .unwrap(),
        );
        poller.delete(&message).await.unwrap();
    }
    assert_eq!(settled, [Settled::First, Settled::Before]);
    assert_eq!(told(&agent).await.len(), 1);
    remove(&cloud, poller).await;
}

#[tokio::test]
#[ignore = "needs a deployment"]
async fn a_function_that_is_not_deployed_is_named_and_nothing_was_started() {
    let mut cloud = cloud().await;
    cloud.names = Names::new("nowhere");
    let function = cloud.names.api();
    let error = cloud.lambda.invoke().function_name(&function).send().await.unwrap_err();
    let error = fault::tool_error(&cloud.place("function", &function), &error);
    assert!(error.not_started() && !error.retryable(), "{error:?}");
    assert!(
        error.message().starts_with("there is no function `nowhere-api` in "),
        "{error}"
    );
    let error = Poller::open(&cloud, cloud.names.completions()).await.unwrap_err();
    assert!(
        error
            .message()
            .starts_with("there is no queue `nowhere-completions` in "),
        "{error}"
    );
}

#[tokio::test]
#[ignore = "needs a deployment"]
async fn a_function_at_the_limit_of_its_concurrency_is_overloaded() {
    let cloud = cloud().await;
    let function = cloud.names.api();
    let limit = |most| {
        cloud
            .lambda
            .put_function_concurrency()
            .function_name(&function)
            .reserved_concurrent_executions(most)
    };
    limit(0).send().await.unwrap();
    let refused = cloud.lambda.invoke().function_name(&function).send().await;
    cloud
        .lambda
        .delete_function_concurrency()
        .function_name(&function)
        .send()
        .await
        .unwrap();
    let error = fault::tool_error(&cloud.place("function", &function), &refused.unwrap_err());
    assert_eq!(error.kind(), ToolErrorKind::Overloaded);
    assert!(error.not_started() && error.retry_after().is_some(), "{error:?}");
}

#[tokio::test]
#[ignore = "needs a deployment"]
async fn a_mark_tells_a_message_once_also_if_the_first_attempt_died_on_the_way() {
    use async_tool_runtime::{
        Journal, SessionId,
        journal::{Claim, Entry, Format, Seq},
        task::Timestamp,
    };
    let cloud = cloud().await;
    let journal: Arc<dyn Journal> = Arc::new(aws::journal(&cloud));
    let (session, claim) = (SessionId::new(format!("marks-{}", TaskId::new())), Claim::new());
    let at = Timestamp::from_millis(0);
    let opened = Entry::Opened {
        format: Format::CURRENT,
        nonce: "n".into(),
        works_for: None,
        at,
    };
    let last = journal.append(&session, &claim, Seq::START, &[opened]).await.unwrap();
    let mark = aws::Mark::new(&cloud, "message-1");
    let was_told = |last| mark.was_told(&*journal, &session, last, "yes");
    assert!(!was_told(last).await.unwrap());
    assert!(
        !was_told(last).await.unwrap(),
        "the first attempt died before it told the agent"
    );
    let said = Entry::UserMessage {
        text: "yes".into(),
        media: Vec::new(),
        traceparent: None,
        at,
    };
    let last = journal.append(&session, &claim, last, &[said]).await.unwrap();
    assert!(was_told(last).await.unwrap());
    let other = aws::Mark::new(&cloud, "message-2");
    assert!(
        !other.was_told(&*journal, &session, last, "yes").await.unwrap(),
        "the user said it again"
    );
    journal.release(&session, &claim).await.unwrap();
}
