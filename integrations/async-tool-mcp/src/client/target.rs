//! The place of a server.

use std::{ffi::OsString, fmt, future::Future, io, path::PathBuf, pin::Pin, sync::Arc};

use tokio::io::{AsyncRead, AsyncWrite};

type Streams = (Box<dyn AsyncRead + Send + Unpin>, Box<dyn AsyncWrite + Send + Unpin>);
type Connecting = Pin<Box<dyn Future<Output = io::Result<Streams>> + Send>>;

/// Place of a server: a URL, a command, or streams.
///
/// A text is a URL if it begins with `http://` or `https://`, and otherwise a command, whose words are separated by spaces.
///
/// ```
/// use async_tool_mcp::{McpCommand, McpTarget};
///
/// let remote = McpTarget::from("https://example.com/mcp");
/// assert_eq!(remote.to_string(), "https://example.com/mcp");
///
/// let local = McpTarget::from("npx -y @modelcontextprotocol/server-everything");
/// assert_eq!(local.to_string(), "npx");
///
/// let command = McpCommand::new("my-server").arg("a path with spaces").env("LOG", "debug");
/// assert_eq!(McpTarget::from(command).to_string(), "my-server");
/// ```
#[derive(Clone)]
pub struct McpTarget(pub(super) Place);

#[derive(Clone)]
pub(super) enum Place {
    Url(String),
    Command(McpCommand),
    Streams(Arc<dyn Fn() -> Connecting + Send + Sync>),
}

impl McpTarget {
    /// Server that is reached over a pair of streams, one line per message, such as a server in this process. `connect` is called for
    /// every connection, also after the loss of one.
    ///
    /// ```
    /// use async_tool_mcp::McpTarget;
    ///
    /// let over_a_socket = McpTarget::streams(|| async {
    ///     let socket = tokio::net::UnixStream::connect("/run/tools.sock").await?;
    ///     Ok(socket.into_split())
    /// });
    /// assert_eq!(over_a_socket.to_string(), "streams");
    /// ```
    pub fn streams<C, F, R, W>(connect: C) -> Self
    where
        C: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = io::Result<(R, W)>> + Send + 'static,
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        Self(Place::Streams(Arc::new(move || {
            let connecting = connect();
            Box::pin(async move {
                let (read, write) = connecting.await?;
                Ok((Box::new(read) as _, Box::new(write) as _))
            })
        })))
    }
}

impl From<&str> for McpTarget {
    fn from(text: &str) -> Self {
        let text = text.trim();
        if text.starts_with("http://") || text.starts_with("https://") {
            return Self(Place::Url(text.to_owned()));
        }
        let mut words = text.split_whitespace();
        let program = words.next().unwrap_or_default();
        words.fold(McpCommand::new(program), McpCommand::arg).into()
    }
}

impl From<String> for McpTarget {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<McpCommand> for McpTarget {
    fn from(command: McpCommand) -> Self {
        Self(Place::Command(command))
    }
}

/// Without a query, which may hold a token, and without the arguments of a command.
impl fmt::Display for McpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Url(url) => f.write_str(url.split(['?', '#']).next().unwrap_or_default()),
            Place::Command(command) => command.program.display().fmt(f),
            Place::Streams(_) => f.write_str("streams"),
        }
    }
}

impl fmt::Debug for McpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "McpTarget({self})")
    }
}

/// Command that starts a server, which then speaks over its standard input and output.
///
/// The server inherits the environment of this process. Its log (standard error) goes to the target `async_tool::mcp`, level `DEBUG`.
///
/// ```
/// use async_tool_mcp::{McpClient, McpCommand};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let files = McpCommand::new("npx").arg("-y").arg("@modelcontextprotocol/server-filesystem").arg("/srv/data");
/// let client = McpClient::connect(files).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct McpCommand {
    pub(super) program: OsString,
    pub(super) args: Vec<OsString>,
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) dir: Option<PathBuf>,
}

impl McpCommand {
    /// Command without arguments.
    #[must_use]
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            dir: None,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Sets a variable of the server's environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Sets the folder in which the server starts. Default: the folder of this process.
    #[must_use]
    pub fn current_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }
}

/// Without arguments and variables, which may hold keys.
impl fmt::Debug for McpCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpCommand")
            .field("program", &self.program)
            .finish_non_exhaustive()
    }
}
