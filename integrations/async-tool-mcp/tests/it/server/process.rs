//! Processes that end without a word.

use std::{sync::Arc, time::Duration};

use async_tool_mcp::McpServer;
use async_tool_runtime::{Journal, Tool};
use serde_json::Value;
use tokio::{runtime::Runtime, time::sleep};

use super::stand::{Http, manager};

/// Retention of the servers here.
pub(super) const RETENTION: Duration = Duration::from_secs(600);

/// A process: a runtime, a manager and a server. Its end is that of its runtime, as with a kill: nothing is tidied up.
pub(super) struct Process {
    runtime: Runtime,
    pub(super) client: Http,
}

impl Process {
    /// Starts a process whose clock is ahead by some seconds.
    pub(super) fn start(
        journal: &Arc<impl Journal>,
        tools: Vec<Arc<dyn Tool>>,
        capabilities: Value,
        ahead: u64,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        // Before its runtime runs, as in many programs.
        let server = McpServer::new(manager(tools))
            .retention(RETENTION)
            .ask_first("asks_first");
        let server = runtime.block_on(async {
            sleep(Duration::from_secs(ahead)).await;
            server.journal(Arc::clone(journal)).await.unwrap()
        });
        let client = Http::new(server, capabilities).header("authorization", "Bearer ann");
        Self { runtime, client }
    }

    pub(super) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}
