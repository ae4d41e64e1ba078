//! Answers that are late or never come, of a client without a server.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_tool_dynamodb::DynamoJournal;
use async_tool_runtime::{
    Journal as _, SessionId,
    future::BoxFuture,
    journal::{Claim, Seq, SessionFilter},
};
use aws_sdk_dynamodb::{
    Client,
    config::{
        BehaviorVersion, Config, Credentials, Region, RuntimeComponents,
        http::{HttpRequest, HttpResponse},
    },
};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use futures_util::StreamExt as _;
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};

use crate::fixture::said;

/// Decides when the request of an operation is answered. The number is that of the request.
type Rule = Arc<dyn Fn(&str, usize) -> BoxFuture<'static, ()> + Send + Sync>;

/// A server that answers each request with an empty object, when its rule allows it.
#[derive(Clone)]
struct Server {
    rule: Rule,
    asked: Arc<Mutex<Vec<String>>>,
    answered: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(rule: impl Fn(&str, usize) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self {
            rule: Arc::new(rule),
            asked: Arc::default(),
            answered: Arc::default(),
        }
    }

    fn client(&self) -> Client {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .http_client(self.clone());
        Client::from_conf(config.build())
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn answered(&self) -> Vec<String> {
        self.answered.lock().unwrap().clone()
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server")
    }
}

impl HttpConnector for Server {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let number = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(operation.clone());
            asked.len() - 1
        };
        let (answer, answered) = ((self.rule)(&operation, number), Arc::clone(&self.answered));
        HttpConnectorFuture::new(async move {
            answer.await;
            answered.lock().unwrap().push(operation);
            Ok(HttpResponse::new(200.try_into().unwrap(), "{}".into()))
        })
    }
}

impl HttpClient for Server {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_sent_again_within_the_time_for_retries() {
    let server = Server::new(|_, number| match number {
        0 => Box::pin(std::future::pending()),
        _ => Box::pin(std::future::ready(())),
    });
    let journal = DynamoJournal::new(server.client(), "t");
    let begun = Instant::now();
    let names: Vec<_> = journal.sessions(SessionFilter::All).collect().await;
    assert!(names.is_empty(), "{names:?}");
    assert_eq!(server.asked(), ["Scan", "Scan"]);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_asked_several_times() {
    let server = Server::new(|_, _| Box::pin(std::future::pending()));
    let journal = DynamoJournal::new(server.client(), "t");
    let begun = Instant::now();
    let error = journal.snapshot(&SessionId::new("s")).await.unwrap_err();
    assert!(server.asked().len() >= 3, "{error:?}: {:?}", server.asked());
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn close_gives_up_what_an_append_in_the_background_takes() {
    let go_on = Arc::new(Notify::new());
    let held = Arc::clone(&go_on);
    let server = Server::new(move |operation, _| match operation {
        "TransactWriteItems" => {
            let held = Arc::clone(&held);
            Box::pin(async move { held.notified().await })
        }
        _ => Box::pin(std::future::ready(())),
    });
    let journal = DynamoJournal::new(server.client(), "t");
    let (session, claim, entries) = (SessionId::new("s"), Claim::new(), said(["a"]));
    let append = journal.append(&session, &claim, Seq::START, &entries);
    let moment = Duration::from_millis(10);
    assert!(timeout(moment, append).await.is_err(), "it has no answer yet");
    assert_eq!(server.asked(), ["PutItem", "TransactWriteItems"]);

    let another = journal.clone();
    journal.close().await.unwrap();
    assert_eq!(server.asked().len(), 2, "another handle goes on");
    let mut closing = Box::pin(another.close());
    assert!(timeout(moment, &mut closing).await.is_err(), "the append is under way");
    go_on.notify_one();
    closing.await.unwrap();
    assert_eq!(server.answered(), ["PutItem", "TransactWriteItems", "DeleteItem"]);
}

#[tokio::test(start_paused = true)]
async fn close_does_not_wait_for_a_sign_of_life_and_gives_everything_up() {
    let server = Server::new(|operation, _| match operation {
        "UpdateItem" => Box::pin(std::future::pending()),
        _ => Box::pin(std::future::ready(())),
    });
    let lease = Duration::from_secs(30);
    let journal = DynamoJournal::builder(server.client()).lease(lease).build();
    let (session, claim) = (SessionId::new("s"), Claim::new());
    journal
        .append(&session, &claim, Seq::START, &said(["a"]))
        .await
        .unwrap();
    sleep(lease / 4 + Duration::from_secs(1)).await;
    assert_eq!(server.asked().last().unwrap(), "UpdateItem");
    let begun = Instant::now();
    journal.close().await.unwrap();
    assert_eq!(server.answered().last().unwrap(), "DeleteItem");
    assert_eq!(begun.elapsed(), Duration::ZERO);
}
