//! The client, against servers that follow a script.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod calls;
mod eras;
mod http;
mod news;
mod questions;
mod remote;
mod restart;
mod tasks;

use std::time::Duration;

use async_tool_mcp::{McpClient, McpClientBuilder};
use async_tool_runtime::{AsyncToolManager, SessionId, TaskOutcome, ToolCall, manager::TaskHandle};
use serde_json::{Value, json};

use remote::Remote;

const SECOND: Duration = Duration::from_secs(1);

/// A client of a scripted server, and a manager with its tools.
struct Stage {
    client: McpClient,
    manager: AsyncToolManager,
}

impl Stage {
    async fn of(remote: &Remote) -> Self {
        Self::with(McpClient::builder(remote.streams())).await
    }

    async fn with(builder: McpClientBuilder) -> Self {
        let client = builder.connect().await.unwrap();
        let manager = AsyncToolManager::builder().tools(client.tools()).build().unwrap();
        Self { client, manager }
    }

    fn call(&self, tool: &str, arguments: Value) -> TaskHandle {
        let call = ToolCall::new(format!("call of {tool} {arguments}"), tool, arguments);
        self.manager.submit(&SessionId::new("s"), call).unwrap()
    }

    async fn work(&self) -> TaskOutcome {
        self.call("work", json!({})).outcome().await.outcome.clone()
    }
}

/// Text of an outcome, whatever it is.
fn told(outcome: &TaskOutcome) -> String {
    match outcome {
        TaskOutcome::Completed(Value::String(text)) => text.clone(),
        TaskOutcome::Completed(value) => value.to_string(),
        TaskOutcome::Failed(error) => format!("{}: {}", error.kind(), error.model_message()),
        TaskOutcome::Cancelled(reason) => format!("cancelled: {reason}"),
        TaskOutcome::Unknown(why) => format!("unknown: {why}"),
        other => format!("{other:?}"),
    }
}

/// Waits until something holds, for two minutes at most.
async fn until(holds: impl Fn() -> bool) {
    for _ in 0..120_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it doesn't come");
}
