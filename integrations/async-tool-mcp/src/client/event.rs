//! News of a connection and its tools.

use std::sync::Arc;

use tokio::sync::broadcast::{self, error::RecvError};

/// News of a connection and its tools.
///
/// A manager's tools are fixed, because they are part of a model's prompt cache. A tool that has gone stays in the manager, and its calls
/// fail at once, with an error that says so. When the server offers it again, calls succeed again. A host that wants tools that
/// [appeared](Self::Changed) builds a new manager with [`McpClient::tools`](super::McpClient::tools).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum McpEvent {
    /// The connection was lost, and all tools with it. The client goes on connecting.
    Lost {
        /// Reason.
        reason: String,
        /// Tools that have gone.
        tools: Vec<Arc<str>>,
    },
    /// The server is back.
    Back {
        /// Tools that it offers now.
        tools: Vec<Arc<str>>,
    },
    /// The server offers other tools than before.
    Changed {
        /// New tools, and tools that had gone before.
        appeared: Vec<Arc<str>>,
        /// Tools that have gone.
        disappeared: Vec<Arc<str>>,
        /// Tools with another description or schema.
        changed: Vec<Arc<str>>,
    },
}

/// Stream of events of a client, from its creation on.
///
/// ```
/// use async_tool_mcp::{McpClient, McpEvent};
///
/// # async fn example(client: &McpClient) {
/// let mut events = client.events();
/// while let Some(event) = events.next().await {
///     if let McpEvent::Lost { reason, tools } = event {
///         eprintln!("{tools:?} are gone: {reason}");
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct McpEvents(pub(super) broadcast::Receiver<McpEvent>);

impl McpEvents {
    /// Next event; `None` when the client is closed. A reader that is too slow loses the oldest events.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<McpEvent> {
        loop {
            match self.0.recv().await {
                Ok(event) => return Some(event),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
