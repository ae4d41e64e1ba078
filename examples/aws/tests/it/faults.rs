//! The table of errors in `fault.rs`: each row with an injected fault, by the error itself and by the requests of tools that may and may not be
//! repeated.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    AsyncTaskResult, AsyncToolManager, SessionId, TaskOutcome, ToolCall, ToolError, ToolErrorKind, tools,
};
use aws::{
    Cloud, fault,
    tools::{Reports, call_api, order_report, query_database},
};
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError, future};
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Barrier};

use crate::faulty::{Faulty, Treat, cloud};

const HTML: &str = "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>";
const TOO_MANY: &str = r#"{"Type":"User","message":"Rate Exceeded."}"#;
const ITEM: &str = r#"{"Item":{"id":{"S":"o-17"},"cents":{"N":"650"}}}"#;

/// Error of an invocation and of a read.
async fn errors(cloud: &Cloud) -> [ToolError; 2] {
    let invoked = cloud.lambda.invoke().function_name("f").send().await;
    let read = cloud
        .dynamo
        .get_item()
        .table_name("t")
        .key("id", AttributeValue::S("1".into()))
        .send()
        .await;
    [
        fault::tool_error("function `f` in eu-west-1", &invoked.unwrap_err()),
        fault::tool_error("table `t` in eu-west-1", &read.unwrap_err()),
    ]
}

/// Result of one call of a tool.
async fn run(cloud: Cloud, tool: &'static str, arguments: Value) -> Arc<AsyncTaskResult> {
    let manager = AsyncToolManager::builder()
        .tools(tools![call_api, query_database, order_report])
        .state(cloud)
        .state(Reports {
            function: "t-report".into(),
            reply_to: "queue".into(),
            within: Duration::from_millis(300),
        })
        .build()
        .unwrap();
    let task = manager
        .submit(&SessionId::new("s"), ToolCall::new("c", tool, arguments))
        .unwrap();
    task.outcome().await
}

async fn outcome(cloud: Cloud, tool: &'static str, arguments: Value) -> TaskOutcome {
    run(cloud, tool, arguments).await.outcome.clone()
}

async fn call(cloud: Cloud) -> TaskOutcome {
    outcome(cloud, "call_api", json!({"path": "/prices/tea"})).await
}

async fn query(cloud: Cloud) -> TaskOutcome {
    outcome(cloud, "query_database", json!({"id": "o-17"})).await
}

fn failed(outcome: &TaskOutcome) -> &ToolError {
    match outcome {
        TaskOutcome::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

/// An address where nothing listens.
async fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn a_refused_connection_is_unavailable_and_nothing_was_started() {
    let endpoint = closed_port().await;
    for error in errors(&cloud(|loader| loader.endpoint_url(&endpoint)).await).await {
        assert_eq!(error.kind(), ToolErrorKind::Unavailable, "{error}");
        assert!(error.not_started() && error.retryable(), "{error}");
        assert!(error.message().contains("can't be reached"), "{error}");
    }
}

#[tokio::test]
async fn a_host_that_does_not_exist_is_unavailable_and_nothing_was_started() {
    for error in errors(&cloud(|loader| loader.endpoint_url("http://no-such-host.invalid:1")).await).await {
        assert_eq!(error.kind(), ToolErrorKind::Unavailable, "{error}");
        assert!(error.not_started() && error.retryable(), "{error}");
    }
}

#[tokio::test]
async fn a_call_whose_connection_was_refused_is_repeated_although_it_must_not_happen_twice() {
    let endpoint = closed_port().await;
    let result = run(
        cloud(|loader| loader.endpoint_url(&endpoint)).await,
        "call_api",
        json!({"path": "/"}),
    )
    .await;
    assert_eq!(failed(&result.outcome).kind(), ToolErrorKind::Unavailable);
    assert_eq!(result.attempts, 4);
}

/// Source of credentials that has none, for this reason.
#[derive(Debug)]
struct Nothing(fn() -> CredentialsError);

impl ProvideCredentials for Nothing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err((self.0)()))
    }
}

#[tokio::test]
async fn without_credentials_nothing_was_started_and_the_error_says_how_to_set_them() {
    let faulty = Faulty::start([Treat::Answer(200, &[], "{}")]).await;
    for reason in [
        || CredentialsError::not_loaded("no source in the chain had any"),
        || CredentialsError::provider_error("the machine has no role"),
        || CredentialsError::invalid_configuration("the profile has no key"),
    ] {
        let without = faulty
            .cloud_with(|loader| loader.credentials_provider(Nothing(reason)))
            .await;
        for error in errors(&without).await {
            assert_eq!(error.kind(), ToolErrorKind::Failed, "{error}");
            assert!(error.not_started() && !error.retryable(), "{error}");
            assert!(error.message().starts_with(fault::NO_CREDENTIALS), "{error}");
        }
        assert!(failed(&query(without).await).message().contains("AWS_ACCESS_KEY_ID"));
    }
    assert_eq!(faulty.requests(), 0);
}

#[tokio::test]
async fn credentials_that_come_too_late_can_be_asked_for_again() {
    let faulty = Faulty::start([Treat::Answer(200, &[], "{}")]).await;
    let late = || CredentialsError::provider_timed_out(Duration::from_secs(1));
    let late = faulty
        .cloud_with(|loader| loader.credentials_provider(Nothing(late)))
        .await;
    for error in errors(&late).await {
        assert_eq!(error.kind(), ToolErrorKind::Unavailable, "{error}");
        assert!(error.not_started() && error.retryable(), "{error}");
    }
    assert_eq!(faulty.requests(), 0);
}

#[tokio::test]
async fn after_a_connection_that_closed_or_half_an_answer_it_is_unknown_if_the_work_was_done() {
    for treat in [Treat::Close, Treat::Half] {
        let faulty = Faulty::start([treat.clone()]).await;
        for error in errors(&faulty.cloud().await).await {
            assert_eq!(error.kind(), ToolErrorKind::Unknown, "{treat:?} {error}");
            assert!(!error.not_started(), "{treat:?} {error}");
        }
        let faulty = Faulty::start([treat.clone()]).await;
        let unknown = call(faulty.cloud().await).await;
        assert!(
            matches!(&unknown, TaskOutcome::Unknown(why) if why.contains("t-api")),
            "{treat:?} {unknown:?}"
        );
        assert_eq!(faulty.requests(), 1, "{treat:?}: it must not happen twice");

        let faulty = Faulty::start([treat.clone(), treat.clone(), Treat::Answer(200, &[], ITEM)]).await;
        let read = query(faulty.cloud().await).await;
        assert_eq!(read.value(), Some(&json!({"id": "o-17", "cents": 650})), "{treat:?}");
        assert_eq!(faulty.requests(), 3, "{treat:?}: reading is repeated");
    }
}

#[tokio::test]
async fn no_answer_in_time_is_a_timeout_and_only_reading_is_repeated() {
    let faulty = Faulty::start([Treat::Hang]).await;
    for error in errors(&faulty.cloud().await).await {
        assert_eq!(error.kind(), ToolErrorKind::Timeout, "{error}");
        assert!(!error.not_started(), "{error}");
    }
    let faulty = Faulty::start([Treat::Hang]).await;
    assert_eq!(failed(&call(faulty.cloud().await).await).kind(), ToolErrorKind::Timeout);
    assert_eq!(faulty.requests(), 1);
    let faulty = Faulty::start([Treat::Hang, Treat::Answer(200, &[], "{}")]).await;
    assert_eq!(query(faulty.cloud().await).await.value(), Some(&Value::Null));
    assert_eq!(faulty.requests(), 2);
}

#[tokio::test]
async fn too_many_requests_are_overload_before_any_work_with_the_time_of_the_next_try() {
    let lambda = Treat::Answer(
        429,
        &[("retry-after", "2"), ("x-amzn-errortype", "TooManyRequestsException")],
        TOO_MANY,
    );
    let dynamo = Treat::Answer(
        400,
        &[],
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow down"}"#,
    );
    let bare = Treat::Answer(429, &[("retry-after", "2")], "");
    for (treat, after) in [(lambda, Some(2)), (dynamo, None), (bare, Some(2))] {
        let faulty = Faulty::start([treat.clone()]).await;
        for error in errors(&faulty.cloud().await).await {
            assert_eq!(error.kind(), ToolErrorKind::Overloaded, "{treat:?} {error}");
            assert!(error.not_started() && error.retryable(), "{treat:?} {error}");
            assert_eq!(error.retry_after(), after.map(Duration::from_secs), "{treat:?} {error}");
        }
    }
}

#[tokio::test]
async fn a_call_that_came_too_often_is_repeated_after_the_time_that_the_service_named() {
    let busy = Treat::Answer(429, &[("retry-after", "1")], TOO_MANY);
    let faulty = Faulty::start([busy, Treat::Answer(200, &[], r#"{"cents":650}"#)]).await;
    let begun = std::time::Instant::now();
    assert_eq!(call(faulty.cloud().await).await.value(), Some(&json!({"cents": 650})));
    assert_eq!(faulty.requests(), 2);
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_answer_that_is_a_page_counts_by_its_status() {
    let page = &[("content-type", "text/html"), ("retry-after", "7")];
    for (status, kind, is_retryable) in [
        (503, ToolErrorKind::Unavailable, true),
        (500, ToolErrorKind::Unknown, true),
        (502, ToolErrorKind::Unknown, true),
        (504, ToolErrorKind::Unknown, true),
        (403, ToolErrorKind::Failed, false),
        (404, ToolErrorKind::Failed, false),
    ] {
        let faulty = Faulty::start([Treat::Answer(status, page, HTML)]).await;
        for error in errors(&faulty.cloud().await).await {
            assert_eq!(
                (error.kind(), error.retryable()),
                (kind, is_retryable),
                "{status} {error}"
            );
            assert_eq!(error.not_started(), status < 500, "{status} {error}");
            assert!(error.message().contains(&status.to_string()), "{status} {error}");
            assert!(!error.message().contains('<'), "{status} {error}");
            let after = (status == 503).then_some(Duration::from_secs(7));
            assert_eq!(error.retry_after(), after, "{status} {error}");
        }
    }
    let page = Treat::Answer(503, &[], HTML);
    let faulty = Faulty::start([page.clone()]).await;
    assert_eq!(
        failed(&call(faulty.cloud().await).await).kind(),
        ToolErrorKind::Unavailable
    );
    assert_eq!(faulty.requests(), 1, "it may have been carried out");
    let faulty = Faulty::start([page, Treat::Answer(200, &[], ITEM)]).await;
    assert!(query(faulty.cloud().await).await.value().is_some());
    assert_eq!(faulty.requests(), 2);
}

#[tokio::test]
async fn a_function_that_failed_has_answered_and_its_message_is_told() {
    let error = &[("x-amz-function-error", "Unhandled")];
    for (body, message) in [
        (
            r#"{"errorType":"NotFound","errorMessage":"the shop has no pears"}"#,
            "the shop has no pears",
        ),
        (r#"{"errorMessage":"two\nlines"}"#, "two lines"),
        ("", "the function failed, and didn't say why"),
        ("broken", "broken"),
    ] {
        let faulty = Faulty::start([Treat::Answer(200, error, body)]).await;
        let outcome = call(faulty.cloud().await).await;
        let error = failed(&outcome);
        assert_eq!((error.kind(), error.message()), (ToolErrorKind::Failed, message));
        assert!(!error.retryable() && !error.not_started(), "{error:?}");
        assert_eq!(faulty.requests(), 1);
    }
}

#[tokio::test]
async fn what_does_not_exist_is_named_with_its_region() {
    let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"no"}"#;
    let headers = &[("x-amzn-errortype", "ResourceNotFoundException")];
    for status in [400, 404] {
        let faulty = Faulty::start([Treat::Answer(status, headers, body)]).await;
        for error in errors(&faulty.cloud().await).await {
            assert!(!error.retryable() && error.not_started(), "{error:?}");
            assert!(error.message().starts_with("there is no "), "{error}");
            assert!(error.message().contains("in eu-west-1"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_missing_item_is_null_and_no_error() {
    let faulty = Faulty::start([Treat::Answer(200, &[], "{}")]).await;
    assert_eq!(query(faulty.cloud().await).await, TaskOutcome::Completed(Value::Null));
}

#[tokio::test]
async fn an_answer_that_is_no_json_fails_after_one_run() {
    let faulty = Faulty::start([Treat::Answer(200, &[], "pears")]).await;
    let outcome = call(faulty.cloud().await).await;
    assert!(failed(&outcome).message().contains("no JSON"), "{outcome:?}");
    assert_eq!(faulty.requests(), 1);
}

#[tokio::test]
async fn two_calls_wait_for_their_functions_at_the_same_time() {
    // Each answer needs both requests.
    let together = Treat::Together(Arc::new(Barrier::new(2)), r#"{"cents":650}"#);
    let faulty = Faulty::start([together]).await;
    let cloud = faulty.cloud().await;
    let (first, second) = tokio::join!(call(cloud.clone()), call(cloud));
    assert!(
        first.value().is_some() && second.value().is_some(),
        "{first:?} {second:?}"
    );
}

#[tokio::test]
async fn an_order_that_may_have_arrived_waits_for_its_report_and_one_that_has_not_fails_at_once() {
    for (treat, kind) in [
        (Treat::Close, ToolErrorKind::Timeout),
        (Treat::Hang, ToolErrorKind::Timeout),
        (Treat::Answer(202, &[], ""), ToolErrorKind::Timeout),
        (
            Treat::Answer(403, &[("x-amzn-errortype", "AccessDeniedException")], "{}"),
            ToolErrorKind::Failed,
        ),
    ] {
        let faulty = Faulty::start([treat.clone()]).await;
        let outcome = outcome(faulty.cloud().await, "order_report", json!({"customer": "ann"})).await;
        let error = failed(&outcome);
        assert_eq!(error.kind(), kind, "{treat:?} {error}");
        assert_eq!(
            error.message().contains("deadline"),
            kind == ToolErrorKind::Timeout,
            "{treat:?} {error}"
        );
        assert_eq!(faulty.requests(), 1, "{treat:?}");
    }
}
