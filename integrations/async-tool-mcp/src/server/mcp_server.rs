//! The server, as a program sets it up.

use std::{io, sync::Arc, time::Duration};

use async_tool_runtime::{AsyncToolManager, Journal, ToolCall, journal::ReadError};
use axum::{Router, http::Extensions};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};

use super::{
    service::Service,
    settings::Settings,
    store::Store,
    tasks::Tasks,
    wire::{router, serve_on},
};

/// MCP server with the tools of a manager, for hosts of all revisions.
///
/// A tool needs nothing more than its attribute. A caller that declares MCP's tasks extension on its request gets a task; any other caller gets
/// the result, with signs of life while the tool runs. The [README](crate) says what hosts make of it.
///
/// Clones serve the same tasks, so a program can be reached over HTTP and stdio at once.
///
/// ```
/// use async_tool_mcp::McpServer;
/// use async_tool_runtime::{AsyncToolManager, async_tool, tools};
///
/// /// Researches a topic.
/// #[async_tool(effect = "read", timeout = "10m")]
/// async fn research(topic: String) -> String {
///     format!("three sources agree on {topic}") // slow work
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![research]).build()?;
/// let server = McpServer::new(manager).name("research", "1.0");
/// // Over stdio: `server.serve_stdio().await?`. Over HTTP, at http://127.0.0.1:8080/mcp:
/// let router = server.into_router();
/// # let serve = || async move {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// axum::serve(listener, router).await
/// # };
/// # drop(serve);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct McpServer {
    settings: Settings,
    tasks: Arc<Tasks>,
}

impl McpServer {
    /// Creates a server with the default settings.
    #[must_use]
    pub fn new(manager: AsyncToolManager) -> Self {
        Self {
            settings: Settings::default(),
            tasks: Tasks::new(manager),
        }
    }

    /// Sets the name and the version that hosts show. Default: those of this crate.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        (self.settings.name, self.settings.version) = (name.into(), version.into());
        self
    }

    /// Sets the instructions for the model of the host. Default: none.
    #[must_use]
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.settings.instructions = Some(instructions.into());
        self
    }

    /// Sets the longest silence of an ordinary call whose request has a progress token. Default: 10 seconds, which is below the idle
    /// limits of all hosts that are known.
    #[must_use]
    pub const fn heartbeat(mut self, pause: Duration) -> Self {
        self.settings.heartbeat = pause;
        self
    }

    /// Sets the pause between two polls that clients are asked for. Default: one second.
    #[must_use]
    pub const fn poll_interval(mut self, pause: Duration) -> Self {
        self.settings.poll_interval = pause;
        self
    }

    /// Sets the time that the result of a task is kept, counted from its end. Default: one hour.
    ///
    /// It ends no call: a tool's own `timeout` does. After it, the id of the task is unknown.
    #[must_use]
    pub const fn retention(mut self, time: Duration) -> Self {
        self.settings.retention = time;
        self
    }

    /// Sets a function that chooses the [retention](Self::retention) for each call; `None` is the server's.
    #[must_use]
    pub fn retention_of(mut self, of: impl Fn(&ToolCall) -> Option<Duration> + Send + Sync + 'static) -> Self {
        self.settings.retention_of = Some(Arc::new(of));
        self
    }

    /// Sets the time that an ordinary call waits for the answer to its question, before it is stopped. Default: 10 minutes.
    ///
    /// In the newest revision, a question ends the request, and the client sends the answer with a further one. In older ones, it is a
    /// request of the server, and its time is counted from there. A call that was handed off asks while `await_result` waits for it. A
    /// question that arises between two waits has this time until the next one.
    #[must_use]
    pub const fn patience(mut self, time: Duration) -> Self {
        self.settings.patience = time;
        self
    }

    /// Names a tool whose first questions are asked before its task is made, in the reply to the call.
    ///
    /// These are the questions that it asks within half a second of its start, or of the last answer. Other tools ask them in their task.
    /// A call that dies with its process before it has become a task is not resumed by the next process.
    #[must_use]
    pub fn ask_first(mut self, tool: impl Into<String>) -> Self {
        self.settings.ask_first.insert(tool.into());
        self
    }

    /// Leaves a tool of the manager out, such as one that only other tools call.
    #[must_use]
    pub fn without(mut self, tool: impl Into<String>) -> Self {
        self.settings.hidden.insert(tool.into());
        self
    }

    /// Sets the function that finds the principal of a request, to whom its tasks belong. Default: the header `Authorization`.
    ///
    /// It gets the extensions of the HTTP request, where a layer before this router has put the user. Requests without a principal share
    /// theirs; refuse them before, if that is wrong. A principal's tasks are unknown to all others.
    ///
    /// This crate checks no token: a layer before the router does. The default is for tokens that stay. A client that refreshes its token
    /// becomes another principal, and its running tasks are unknown to it: for OAuth, return the subject of the token here.
    ///
    /// ```
    /// use async_tool_mcp::McpServer;
    /// # use async_tool_runtime::AsyncToolManager;
    ///
    /// /// Put into the request by the program's layer for authorization.
    /// #[derive(Clone)]
    /// struct User(String);
    ///
    /// # fn example(manager: AsyncToolManager) {
    /// let server = McpServer::new(manager).principal(|request| request.get::<User>().map(|user| user.0.clone()));
    /// # drop(server);
    /// # }
    /// ```
    #[must_use]
    pub fn principal(mut self, of: impl Fn(&Extensions) -> Option<String> + Send + Sync + 'static) -> Self {
        self.settings.principal = Some(Arc::new(of));
        self
    }

    /// Refuses requests for tasks without the header `Mcp-Name`, as the specification wants it. Default: they are served, because
    /// FastMCP's client never sends it. A wrong name is always refused.
    #[must_use]
    pub const fn require_names(mut self) -> Self {
        self.settings.needs_names = true;
        self
    }

    /// Sets the path of the router. Default: `/mcp`.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.settings.path = path.into();
        self
    }

    /// Sets the hosts by which the server is reached, such as `mcp.example.com`. Default: those of this machine. Other values of the
    /// header `Host` are refused, against DNS rebinding.
    #[must_use]
    pub fn hosts(mut self, hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.hosts = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the origins of the web pages that may call, such as `https://app.example.com:443`. Default: those of this machine. Requests
    /// without the header `Origin` come from no page and are served.
    #[must_use]
    pub fn origins(mut self, origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.origins = origins.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the largest body of a request, in bytes. Default: 4 MiB.
    #[must_use]
    pub const fn body_limit(mut self, bytes: usize) -> Self {
        self.settings.body_limit = bytes;
        self
    }

    /// Keeps tasks in a journal, and resumes those of an earlier process. Await it before the server gets its first request.
    ///
    /// A finished task is found until its retention ends, also by the next process. A task that ran goes on: it runs again if its tool's
    /// effect is `read` or `idempotent`. One with the effect `once` ends as failed, unless its tool's `reconcile` function finds its end.
    /// Ordinary calls are not kept, because they end with their connection.
    ///
    /// Each task is a session of the journal, whose name begins with `mcp-`. The journal may have other sessions too. The session of an
    /// ended task is [removed](Journal::remove) after its retention, also if the task ended in an earlier process.
    ///
    /// Servers of several processes may use one journal. A task that another process runs is not run here, and its end is found here. If
    /// that process is gone, the task is resumed as after a restart. While it lives, only it knows the progress and the questions of the
    /// task: here the task is `working`, and `tasks/update` and `tasks/cancel` are refused with the advice to ask again. So a load balancer
    /// should send the requests for a task to one process, such as by the header `Mcp-Name`, which has the task's id.
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the sessions of the journal can't be listed. A task that can't be resumed is reported to its client as failed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, some tasks may have been resumed. Call it again with a new server.
    pub async fn journal(self, journal: impl Journal) -> Result<Self, ReadError> {
        let store = Store::new(Arc::new(journal));
        self.tasks.keep_in(store.clone());
        store.recover(&self.tasks).await?;
        self.tasks.attend();
        Ok(self)
    }

    /// Makes a router of the server, to be served with axum.
    pub fn into_router(self) -> Router {
        router(self.service())
    }

    /// Serves over HTTP on a port of this machine, `127.0.0.1`, until the future is dropped.
    ///
    /// # Errors
    ///
    /// The port is in use, or the network fails.
    pub async fn serve_http(self, port: u16) -> io::Result<()> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        axum::serve(listener, self.into_router()).await
    }

    /// Serves the host that has started this process, over stdin and stdout, until it closes stdin.
    ///
    /// Nothing else may write to stdout. Send logs to stderr.
    ///
    /// # Errors
    ///
    /// The host doesn't speak MCP, or a stream fails.
    pub async fn serve_stdio(self) -> io::Result<()> {
        self.serve_on(tokio::io::stdin(), tokio::io::stdout()).await
    }

    /// Serves one client on two streams, one message on each line, until the input ends.
    ///
    /// # Errors
    ///
    /// The client doesn't speak MCP, or a stream fails.
    pub async fn serve_on(
        self,
        input: impl AsyncRead + Send + Unpin + 'static,
        output: impl AsyncWrite + Send + Unpin + 'static,
    ) -> io::Result<()> {
        serve_on(self.service(), input, output).await
    }

    fn service(self) -> Arc<Service> {
        Arc::new(Service {
            settings: self.settings,
            tasks: self.tasks,
        })
    }
}
