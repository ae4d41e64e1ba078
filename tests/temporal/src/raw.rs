//! The same work with the SDK alone: a standalone activity that stores one heartbeat, and returns its argument.
//!
//! The heartbeat belongs to the work: without a stored start, there are no promises about starts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, ensure};
use async_tool_runtime::future::BoxFuture;
use temporalio_client::{
    ActivityIdentifier, ActivityStartOptions, AsyncActivityHandle, Client, ClientOptions, Connection,
    ConnectionOptions, RpcOptions, Url,
};
use temporalio_common::{
    ActivityCloseTimeouts, ActivityDefinition,
    search_attributes::{SearchAttributeKey, SearchAttributes},
};
use temporalio_sdk::{
    Runtime, Worker, WorkerOptions,
    activities::{ActivityContext, ActivityDefinitions, ActivityError, ActivityImplementer, ExecutableActivity},
};
use tokio::time::Instant;

use crate::bench::HEARTBEAT;

pub(crate) async fn client(url: &str) -> Result<Client> {
    let connection = Connection::connect(ConnectionOptions::new(Url::parse(url)?).build()).await?;
    Ok(Client::new(connection, ClientOptions::new("default").build())?)
}

/// Runs one activity; returns the times of its acknowledgement and of its result.
pub(crate) async fn one(client: &Client, queue: &str) -> Result<(Duration, Duration)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let id = format!("raw-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let session = SearchAttributeKey::keyword("AgentSession").value_set("the user's".to_owned());
    let options = ActivityStartOptions::new(
        queue,
        id.clone(),
        ActivityCloseTimeouts::StartToClose(Duration::from_secs(60)),
    )
    .heartbeat_timeout(HEARTBEAT)
    .search_attributes(SearchAttributes::new([session]))
    .build();
    let begun = Instant::now();
    let handle = client.start_activity(Echo, id.clone(), options).await?;
    let ack = begun.elapsed();
    ensure!(handle.result().await? == id, "the raw activity returned another text");
    Ok((ack, begun.elapsed()))
}

/// Runs a worker until it is killed.
pub(crate) async fn worker(url: &str, queue: &str) -> Result<()> {
    let client = client(url).await?;
    let runtime = Runtime::from_current_tokio(Default::default())?;
    let options = WorkerOptions::new(queue)
        .register_activities(Hands(client.clone()))
        .build();
    Ok(Worker::new(&runtime, client, options)?.run().await?)
}

struct Echo;

struct Hands(Client);

impl ActivityDefinition for Echo {
    type Input = String;
    type Output = String;

    fn name(&self) -> &str {
        "echo"
    }
}

impl ExecutableActivity for Echo {
    type Implementer = Hands;

    const REQUIRES_INSTANCE: bool = true;

    fn definition() -> Self {
        Self
    }

    fn execute(
        hands: Option<Arc<Hands>>,
        context: ActivityContext,
        text: String,
    ) -> BoxFuture<'static, Result<String, ActivityError>> {
        Box::pin(async move {
            let hands = hands.ok_or_else(|| ActivityError::from(std::io::Error::other("no worker")))?;
            let token = ActivityIdentifier::from_task_token(context.info().task_token.clone().into());
            AsyncActivityHandle::new(hands.0.clone(), token)
                .heartbeat(Some(1), RpcOptions::default())
                .await?;
            Ok(text)
        })
    }
}

impl ActivityImplementer for Hands {
    fn register_all(self: Arc<Self>, activities: &mut ActivityDefinitions) {
        activities.register_activity::<Echo>(self);
    }
}
