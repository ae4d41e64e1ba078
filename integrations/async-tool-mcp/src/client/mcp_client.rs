//! The client: one server, and its tools for a manager.

use std::{fmt, sync::Arc, time::Duration};

use async_tool_runtime::{FunctionTool, Tool};
use tokio_util::sync::CancellationToken;

use super::{
    catalog::Catalog,
    error::McpConnectError,
    event::McpEvents,
    keeper,
    link::Link,
    settings::Settings,
    target::McpTarget,
    tool::tool,
    wire::{self, OpenError},
};

/// Client of one MCP server, whose tools are tools of a manager.
///
/// A remote tool is a tool like any other: its calls are acknowledged at once, end in any order, and have one result each, whether the
/// server answers the call or makes a task of it. The client speaks revision 2026-07-28 with the tasks extension, and 2025-11-25 and
/// 2025-06-18 with servers that are older.
///
/// ```
/// use async_tool_mcp::McpClient;
/// use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let files = McpClient::connect("npx -y @modelcontextprotocol/server-filesystem /srv/data").await?;
/// let search = McpClient::builder("https://search.example/mcp").bearer("token").prefix("web_").connect().await?;
///
/// let manager = AsyncToolManager::builder().tools(files.tools()).tools(search.tools()).build()?;
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Journal
///
/// The id of a server's task is in the session's journal. After a restart, the client goes on with the polls, and doesn't call the tool
/// again. Connect before the sessions are resumed, because a resumed session needs its tools.
///
/// # Limits
///
/// Every request has an idle timeout, which progress resets, and a hard maximum. [`McpClientBuilder`] has the settings and their defaults.
///
/// Cheap to clone. The connection ends when the last client and the last tool of it are gone.
#[derive(Clone)]
pub struct McpClient(Arc<Link>);

impl McpClient {
    /// Connects to a server with the default settings.
    ///
    /// # Errors
    ///
    /// [`McpConnectError`] if the server can't be reached or started, or speaks no revision that the client knows.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a server that was started is stopped.
    pub async fn connect(target: impl Into<McpTarget>) -> Result<Self, McpConnectError> {
        Self::builder(target).connect().await
    }

    /// Builder of a client, for other settings.
    pub fn builder(target: impl Into<McpTarget>) -> McpClientBuilder {
        McpClientBuilder {
            target: target.into(),
            settings: Settings::default(),
        }
    }

    /// Tools that the server offers now, for a manager.
    ///
    /// The name is the server's, with `_` for characters that some provider of models refuses. The effect comes from the annotations: with
    /// `readOnlyHint` it is [`Read`](async_tool_runtime::Effect::Read), with `idempotentHint` it is
    /// [`Idempotent`](async_tool_runtime::Effect::Idempotent), without one it is [`Once`](async_tool_runtime::Effect::Once).
    #[must_use]
    pub fn tools(&self) -> Vec<Arc<dyn Tool>> {
        self.function_tools().into_iter().map(Into::into).collect()
    }

    /// The [tools](Self::tools) as values on which everything can be set that can be set on a tool:
    ///
    /// ```
    /// use async_tool_mcp::McpClient;
    /// use async_tool_runtime::{AsyncToolManager, policy::{Approval, RetryPolicy}};
    ///
    /// # fn example(client: &McpClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let careful = client.function_tools().into_iter().map(|tool| tool.approval(Approval::Always).retry(RetryPolicy::new(3)).into());
    /// let manager = AsyncToolManager::builder().tools(careful).build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn function_tools(&self) -> Vec<FunctionTool> {
        let offers = self.0.catalog().tools;
        offers.iter().map(|offer| tool(&self.0, offer)).collect()
    }

    /// Events of the connection and its tools, from now on.
    #[must_use]
    pub fn events(&self) -> McpEvents {
        McpEvents(self.0.events.subscribe())
    }

    /// True if there is a connection, as far as it is known.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.0.connection().is_ok()
    }

    /// Name and version of the server, if it says so, and the revision of the protocol that is spoken; `None` without a connection.
    #[must_use]
    pub fn server(&self) -> Option<McpServerInfo> {
        let (server, protocol) = self.0.connection().ok()?.server();
        let (name, version) = server.unwrap_or_default();
        Some(McpServerInfo {
            name,
            version,
            protocol,
        })
    }
}

impl fmt::Debug for McpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpClient")
            .field("target", &self.0.target)
            .field("is_connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}

/// Name and version of a server, and the protocol that is spoken with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct McpServerInfo {
    /// Name; empty if the server doesn't say it.
    pub name: String,
    /// Version; empty if the server doesn't say it.
    pub version: String,
    /// Revision of the protocol: `2026-07-28`.
    pub protocol: String,
}

/// Builder of a [`McpClient`].
///
/// ```
/// use async_tool_mcp::McpClient;
/// use std::time::Duration;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = McpClient::builder("https://render.example/mcp")
///     .bearer(std::env::var("RENDER_TOKEN")?)
///     .header("X-Team", "seven")
///     .idle_timeout(Duration::from_secs(60))
///     .task_timeout(Duration::from_secs(7 * 24 * 3600))
///     .connect()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until `connect`"]
pub struct McpClientBuilder {
    target: McpTarget,
    settings: Settings,
}

impl McpClientBuilder {
    /// Sets the token of the header `Authorization: Bearer …`, for a server at a URL.
    pub fn bearer(mut self, token: impl Into<String>) -> Self {
        self.settings.bearer = Some(token.into());
        self
    }

    /// Adds a header to all requests, for a server at a URL.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the beginning of the names of the server's tools, so that tools of several servers differ. Default: none.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.settings.prefix = prefix.into();
        self
    }

    /// Sets if the server's annotations decide the effects of its tools. Default: true. Otherwise every tool is
    /// [`Once`](async_tool_runtime::Effect::Once): a server that says `readOnlyHint` of a tool that writes could have it called twice.
    pub fn trust_annotations(mut self, trusts: bool) -> Self {
        self.settings.trusts_annotations = trusts;
        self
    }

    /// Sets the limit of the way to a connection, also to a new one after a loss. Default: 30 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect = timeout;
        self
    }

    /// Sets the longest time of a call without an answer and without progress. Default: 5 minutes. Not for tasks of the server, which are
    /// polled.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.call.idle = timeout;
        self
    }

    /// Sets the longest time of a call, whatever progress it makes. Default: 1 hour. Not for tasks of the server.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.settings.call.total = timeout;
        self
    }

    /// Sets the longest time of a task of the server. It is cancelled then. Default: 24 hours.
    pub fn task_timeout(mut self, timeout: Duration) -> Self {
        self.settings.task = timeout;
        self
    }

    /// Sets the limit of the short requests: lists, polls, answers, cancellations. Default: 30 s.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.settings.control.idle = timeout;
        self.settings.control.total = timeout;
        self
    }

    /// Sets the longest time for which the server of a task may be away. The outcome of the task is unknown then. Default: 10 minutes.
    pub fn away_timeout(mut self, timeout: Duration) -> Self {
        self.settings.away = timeout;
        self
    }

    /// Connects, and lists the server's tools.
    ///
    /// # Errors
    ///
    /// [`McpConnectError`] if the server can't be reached or started, or speaks no revision that the client knows.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a server that was started is stopped.
    pub async fn connect(self) -> Result<McpClient, McpConnectError> {
        let Self { target, settings } = self;
        let server = target.to_string();
        let opened = wire::open(&target, &settings).await;
        let connection = opened.map_err(|error: OpenError| McpConnectError::new(server.clone(), error))?;
        let listed = Catalog::fetch(&connection, &settings).await;
        let catalog = listed.map_err(|failure| McpConnectError::of_list(server, &failure))?;
        let end = CancellationToken::new();
        let link = Arc::new(Link::new(target, settings, connection, catalog, end.clone()));
        tokio::spawn(keeper::keep(Arc::downgrade(&link), end));
        Ok(McpClient(link))
    }
}

impl fmt::Debug for McpClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpClientBuilder")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}
