//! The client and the server of this crate, with each other: over HTTP and over streams, in real time.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod calls;
mod killed;
mod place;
mod questions;
mod restart;
mod work;

use std::time::Duration;

use async_tool_mcp::McpClient;
use async_tool_runtime::{AsyncToolManager, SessionId, TaskOutcome, ToolCall, manager::TaskHandle};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use place::Place;

/// Longest time for anything here.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client of a server, and a manager with its tools.
struct Stage {
    client: McpClient,
    manager: AsyncToolManager,
}

impl Stage {
    async fn of(place: &Place) -> Self {
        let client = within(McpClient::connect(place.target())).await.unwrap();
        let manager = AsyncToolManager::builder().tools(client.tools()).build().unwrap();
        Self { client, manager }
    }

    fn call(&self, tool: &str, arguments: Value) -> TaskHandle {
        let call = ToolCall::new(format!("{tool} {arguments}"), tool, arguments);
        self.manager.submit(&SessionId::new("s"), call).unwrap()
    }

    async fn outcome(&self, tool: &str, arguments: Value) -> TaskOutcome {
        let task = self.call(tool, arguments);
        within(task.outcome()).await.outcome.clone()
    }
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it takes too long")
}

/// Waits until something holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let waits = async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waits)
        .await
        .unwrap_or_else(|_| panic!("it doesn't come: {what}"));
}
