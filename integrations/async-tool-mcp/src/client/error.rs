//! Error of a connection.

use std::{error::Error, fmt};

use super::{failure::Failure, wire::OpenError};

/// Error of [`McpClient::connect`](super::McpClient::connect).
///
/// ```
/// use async_tool_mcp::McpClient;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let error = McpClient::connect("no-such-program --stdio").await.unwrap_err();
/// assert!(error.to_string().starts_with("no connection to the MCP server `no-such-program`: can't start"));
/// assert!(!error.is_unauthorized());
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpConnectError {
    server: String,
    why: String,
    is_unauthorized: bool,
}

impl McpConnectError {
    pub(super) fn new(server: String, error: OpenError) -> Self {
        Self {
            server,
            is_unauthorized: matches!(error, OpenError::Unauthorized),
            why: error.to_string(),
        }
    }

    pub(super) fn of_list(server: String, failure: &Failure) -> Self {
        Self {
            server,
            is_unauthorized: matches!(failure, Failure::Unauthorized),
            why: format!("its tools can't be listed: {failure}"),
        }
    }

    /// True if the server refuses the credentials, or wants some.
    #[must_use]
    pub const fn is_unauthorized(&self) -> bool {
        self.is_unauthorized
    }
}

impl fmt::Display for McpConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no connection to the MCP server `{}`: {}", self.server, self.why)
    }
}

impl Error for McpConnectError {}
