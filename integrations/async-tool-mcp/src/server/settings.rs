//! Settings of a server.

use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

use async_tool_runtime::ToolCall;

use super::principal::PrincipalOf;

/// Chooses the retention of a call's task; `None` for the server's.
pub(super) type RetentionOf = Arc<dyn Fn(&ToolCall) -> Option<Duration> + Send + Sync>;

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) instructions: Option<String>,
    pub(super) heartbeat: Duration,
    pub(super) poll_interval: Duration,
    pub(super) retention: Duration,
    pub(super) retention_of: Option<RetentionOf>,
    /// Time that a call waits for the answer to its question while no request waits for the call.
    pub(super) patience: Duration,
    /// Tools whose first questions are asked before a task is made.
    pub(super) ask_first: HashSet<String>,
    /// Tools of the manager that are not offered.
    pub(super) hidden: HashSet<String>,
    pub(super) principal: Option<PrincipalOf>,
    /// True if requests for tasks without `Mcp-Name` are refused.
    pub(super) needs_names: bool,
    pub(super) path: String,
    pub(super) hosts: Vec<String>,
    pub(super) origins: Vec<String>,
    pub(super) body_limit: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let loopback = ["localhost", "127.0.0.1", "[::1]"];
        Self {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instructions: None,
            heartbeat: Duration::from_secs(10),
            poll_interval: Duration::from_secs(1),
            retention: Duration::from_secs(60 * 60),
            retention_of: None,
            patience: Duration::from_secs(10 * 60),
            ask_first: HashSet::new(),
            hidden: HashSet::new(),
            principal: None,
            needs_names: false,
            path: "/mcp".to_owned(),
            hosts: ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec(),
            origins: loopback
                .iter()
                .flat_map(|host| [format!("http://{host}:*"), format!("https://{host}:*")])
                .collect(),
            body_limit: 4 * 1024 * 1024,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("name", &self.name)
            .field("heartbeat", &self.heartbeat)
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}
