//! Tables of a test, and what tests write into them.

use std::{env, time::Duration};

use async_tool_dynamodb::{DynamoJournal, DynamoJournalBuilder};
use async_tool_runtime::{
    Journal as _, SessionId,
    journal::{AppendError, Claim, Entry, Seq, SessionFilter},
    task::Timestamp,
};
use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Builder, Config, Credentials, Region},
    types::AttributeValue,
};
use futures_util::StreamExt as _;
use uuid::Uuid;

/// Variable with the URL of the server.
pub(crate) const ENDPOINT: &str = "ASYNC_TOOL_DYNAMODB_ENDPOINT";

/// Prints a line that `tests/aws/run` shows beside the test's name.
macro_rules! figure {
    ($($text:tt)*) => {
        println!("figure of {}: {}", std::thread::current().name().unwrap_or_default(), format_args!($($text)*))
    };
}
pub(crate) use figure;

/// URL of the server.
pub(crate) fn endpoint() -> String {
    env::var(ENDPOINT).unwrap_or_else(|_| panic!("{ENDPOINT} must be the URL of a server; tests/aws/run starts one"))
}

/// Settings of a client without credentials.
pub(crate) fn settings(endpoint: &str) -> Builder {
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
}

pub(crate) fn client(endpoint: &str) -> Client {
    let credentials = Credentials::new("test", "test", None, None, "test");
    Client::from_conf(settings(endpoint).credentials_provider(credentials).build())
}

/// A pair of tables of its own.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) prefix: String,
    pub(crate) endpoint: String,
}

impl Place {
    /// New, empty tables.
    pub(crate) async fn new() -> Self {
        let place = Self::without_tables();
        place.open().create_tables().await.unwrap();
        place
    }

    pub(crate) fn without_tables() -> Self {
        Self {
            prefix: format!("t{}", Uuid::new_v4().simple()),
            endpoint: endpoint(),
        }
    }

    /// The same tables, reached through another URL.
    pub(crate) fn through(&self, endpoint: &str) -> Self {
        Self {
            prefix: self.prefix.clone(),
            endpoint: endpoint.to_owned(),
        }
    }

    pub(crate) fn client(&self) -> Client {
        client(&self.endpoint)
    }

    pub(crate) fn builder(&self) -> DynamoJournalBuilder {
        DynamoJournal::builder(self.client()).prefix(&self.prefix)
    }

    pub(crate) fn open(&self) -> DynamoJournal {
        self.builder().build()
    }

    pub(crate) fn open_for(&self, lease: Duration) -> DynamoJournal {
        self.builder().lease(lease).build()
    }

    /// Partition keys of all items of a table: `heads` or `log`.
    pub(crate) async fn keys(&self, table: &str) -> Vec<String> {
        let client = self.client();
        let scan = client
            .scan()
            .table_name(format!("{}-{table}", self.prefix))
            .consistent_read(true);
        let mut pages = scan.projection_expression("pk").into_paginator().items().send();
        let mut keys = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.unwrap();
            keys.extend(item.get("pk").and_then(|key| key.as_s().ok()).cloned());
        }
        keys
    }

    /// An attribute of a session's head.
    pub(crate) async fn head(&self, session: &str, name: &str) -> Option<AttributeValue> {
        let get = self
            .client()
            .get_item()
            .table_name(format!("{}-heads", self.prefix))
            .consistent_read(true);
        let get = get.key("pk", AttributeValue::S(format!("s:{session}")));
        get.send().await.unwrap().item?.remove(name)
    }
}

/// Messages with these texts.
pub(crate) fn said<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Vec<Entry> {
    let said = |text: T| Entry::UserMessage {
        text: text.into(),
        media: Vec::new(),
        traceparent: None,
        at: Timestamp::from_millis(1),
    };
    texts.into_iter().map(said).collect()
}

/// Appends messages with these texts.
pub(crate) async fn write(
    journal: &DynamoJournal,
    claim: &Claim,
    session: &str,
    after: u64,
    texts: &[&str],
) -> Result<u64, AppendError> {
    let (session, entries) = (SessionId::new(session), said(texts.iter().copied()));
    let written = journal.append(&session, claim, Seq::new(after), &entries).await;
    written.map(Seq::as_u64)
}

pub(crate) async fn release(journal: &DynamoJournal, claim: &Claim, session: &str) {
    journal.release(&SessionId::new(session), claim).await.unwrap();
}

pub(crate) async fn read(journal: &DynamoJournal, session: &str) -> Vec<Entry> {
    let session = SessionId::new(session);
    let entries = journal.read(&session, Seq::START);
    entries.map(|entry| entry.unwrap().1).collect().await
}

/// Texts of a session's messages.
pub(crate) async fn texts(journal: &DynamoJournal, session: &str) -> Vec<String> {
    let text = |entry| match entry {
        Entry::UserMessage { text, .. } => text,
        other => panic!("{other:?}"),
    };
    read(journal, session).await.into_iter().map(text).collect()
}

pub(crate) async fn names(journal: &DynamoJournal, filter: SessionFilter) -> Vec<String> {
    let mut names: Vec<_> = journal
        .sessions(filter)
        .map(|name| name.unwrap().as_str().to_owned())
        .collect()
        .await;
    names.sort();
    names
}

/// An error with all its causes, as a program prints it.
pub(crate) fn why(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Waits for a condition, for 20 seconds at most.
pub(crate) async fn wait_for(what: &str, condition: impl AsyncFn() -> bool) {
    let limit = tokio::time::Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(tokio::time::Instant::now() < limit, "{what}: not within 20 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
