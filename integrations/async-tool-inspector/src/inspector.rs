//! Settings of an inspector.

use std::{fmt, future::Future, net::SocketAddr, sync::Arc};

use async_tool_runtime::{AgentRegistry, AsyncAgent, AsyncToolManager, Journal, SessionId, future::BoxFuture};
use axum::Router;
use tokio::runtime::Handle;

use crate::{
    access::{Access, Origin},
    api::{self, App},
    server::InspectorServer,
    sources::{SessionOwner, Sources},
    watch::Hub,
};

/// Viewers at the same time, unless it is set.
const VIEWERS: usize = 256;

/// Live view of agents, managers and journals, for a browser.
///
/// It reads journals and follows events. It keeps no agent alive, and does nothing without viewers.
///
/// ```
/// use async_tool_inspector::Inspector;
/// use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().build()?;
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager.clone()).start().await?;
/// let server = Inspector::new().manager(&manager).agent(&agent).serve("127.0.0.1:0").await?;
/// assert!(server.link().starts_with("http://127.0.0.1:"));
/// # server.stop();
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "an inspector does nothing until it serves"]
pub struct Inspector {
    title: String,
    sources: Sources,
    is_read_only: bool,
    viewers: usize,
    origins: Vec<Origin>,
    secret: Option<Vec<u8>>,
}

impl Default for Inspector {
    fn default() -> Self {
        Self::new()
    }
}

impl Inspector {
    /// Inspector that shows nothing yet.
    pub fn new() -> Self {
        Self {
            title: "async-tool".to_owned(),
            sources: Sources::default(),
            is_read_only: false,
            viewers: VIEWERS,
            origins: Vec::new(),
            secret: None,
        }
    }

    /// Name of the program, for the page's title. Default: `async-tool`.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Shows a manager: slots, queue, policies, and the tasks that the host has submitted itself.
    pub fn manager(mut self, manager: &AsyncToolManager) -> Self {
        self.sources.add_manager(manager);
        self
    }

    /// Shows an agent, its session and its manager. The agent ends as before when the host drops its handles.
    ///
    /// The session stays in view when it is over, if its journal is in memory or [given](Self::journal).
    pub fn agent(mut self, agent: &AsyncAgent) -> Self {
        self.sources.add_agent(agent);
        self
    }

    /// Shows all agents of a registry, also those that start later. An act on a session whose agent has left resumes it, as
    /// [`AgentRegistry::get`] does.
    ///
    /// ```
    /// # use async_tool_runtime::{AgentRegistry, AsyncAgent, AsyncToolManager, RulePlanner, journal::MemoryJournal};
    /// # use std::sync::Arc;
    /// use async_tool_inspector::Inspector;
    ///
    /// # let manager = AsyncToolManager::builder().build()?;
    /// # let journal = Arc::new(MemoryJournal::new());
    /// # let tools = manager.clone();
    /// # let agents = AgentRegistry::builder(journal.clone(), move |_| {
    /// #     AsyncAgent::builder(RulePlanner::new(), tools.clone())
    /// # })
    /// # .build();
    /// let inspector = Inspector::new().manager(&manager).registry(&agents).journal(&journal);
    /// # let _ = inspector;
    /// # Ok::<(), async_tool_runtime::manager::BuildError>(())
    /// ```
    pub fn registry(mut self, registry: &AgentRegistry) -> Self {
        self.sources.add_registry(registry);
        self
    }

    /// Shows all sessions of a journal: those of this process, of other processes, and those that are over.
    pub fn journal<J: Journal + Clone>(mut self, journal: &J) -> Self {
        self.sources.add_journal(Arc::new(journal.clone()));
        self
    }

    /// Function that says who has a session of the journal, for sessions without an agent here. Default: it is not known.
    ///
    /// ```
    /// use async_tool_inspector::{Inspector, SessionOwner};
    ///
    /// let inspector = Inspector::new().owners(|session| async move {
    ///     session.as_str().starts_with("eu-").then(|| SessionOwner::new("the workers in Frankfurt"))
    /// });
    /// # let _ = inspector;
    /// ```
    pub fn owners<F, R>(mut self, owners: F) -> Self
    where
        F: Fn(SessionId) -> R + Send + Sync + 'static,
        R: Future<Output = Option<SessionOwner>> + Send + 'static,
    {
        self.sources
            .set_owners(Arc::new(move |session| -> BoxFuture<'static, Option<SessionOwner>> {
                Box::pin(owners(session))
            }));
        self
    }

    /// Refuses all acts: the page only shows. Default: false.
    pub fn read_only(mut self, is_read_only: bool) -> Self {
        self.is_read_only = is_read_only;
        self
    }

    /// Viewers at the same time; more are refused. Default: 256.
    pub fn max_viewers(mut self, viewers: usize) -> Self {
        self.viewers = viewers;
        self
    }

    /// Accepts requests to this origin too, such as `https://ops.example.com`, for a server behind a proxy or a name. Default: only
    /// `localhost` and the addresses of the loopback interface, with any port.
    ///
    /// ```
    /// use async_tool_inspector::Inspector;
    ///
    /// let inspector = Inspector::new().allow_origin("https://ops.example.com").read_only(true);
    /// # let _ = inspector;
    /// ```
    ///
    /// # Panics
    ///
    /// If it is no origin: a scheme `http` or `https`, `://`, a host, and perhaps a port.
    pub fn allow_origin(mut self, origin: &str) -> Self {
        let parsed = Origin::parse(origin);
        let parsed = parsed.unwrap_or_else(|| panic!("an origin is like `https://ops.example.com`, not `{origin}`"));
        self.origins.push(parsed);
        self
    }

    /// Secret that cookies are made of. With it, a browser that was let in stays so when the process is restarted. Default: a random one.
    ///
    /// # Panics
    ///
    /// If it has less than 32 bytes.
    pub fn secret(mut self, secret: impl Into<Vec<u8>>) -> Self {
        let secret = secret.into();
        assert!(
            secret.len() >= 32,
            "a secret has at least 32 bytes, from a source of random bytes"
        );
        self.secret = Some(secret);
        self
    }

    /// Router for the host's own server, and the means to let browsers in.
    ///
    /// Nest it where you like. The page's address ends with a slash; without it, the router redirects.
    ///
    /// ```
    /// use async_tool_inspector::Inspector;
    /// use axum::Router;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (inspector, access) = Inspector::new().router();
    /// let app: Router = Router::new().nest_service("/inspect", inspector);
    /// println!("{}", access.link("http://127.0.0.1:8080/inspect/"));
    /// # let _ = app;
    /// # }
    /// ```
    #[must_use = "the router is to be nested, and the access lets browsers in"]
    pub fn router(self) -> (Router, InspectorAccess) {
        let app = self.app(None);
        (api::router(Arc::clone(&app)), InspectorAccess(app))
    }

    /// Serves the page at an address, such as `127.0.0.1:0` for a free port, from a thread of its own. It writes the address with a one-time
    /// token to the standard error output.
    ///
    /// The thread has a runtime of its own, so the page answers also when the host's runtime is blocked. Acts run on the host's.
    ///
    /// # Errors
    ///
    /// If the address can't be taken.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn serve(self, address: impl tokio::net::ToSocketAddrs) -> std::io::Result<InspectorServer> {
        let server = self.serve_quietly(address).await?;
        eprintln!("inspector: {}", server.link());
        Ok(server)
    }

    /// As [`serve`](Self::serve), without a line on the standard error output: the host shows [`InspectorServer::link`] itself.
    ///
    /// # Errors
    ///
    /// If the address can't be taken.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn serve_quietly(self, address: impl tokio::net::ToSocketAddrs) -> std::io::Result<InspectorServer> {
        let listener = tokio::net::TcpListener::bind(address).await?.into_std()?;
        let local: SocketAddr = listener.local_addr()?;
        InspectorServer::start(self.app(Some(Handle::current())), listener, local)
    }

    fn app(self, runtime: Option<Handle>) -> Arc<App> {
        Arc::new(App {
            title: self.title,
            access: Access::new(self.origins, self.secret),
            hub: Hub::new(self.sources, self.viewers, self.is_read_only),
            runtime,
            reads: tokio::sync::Semaphore::new(api::READS),
        })
    }
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector")
            .field("title", &self.title)
            .field("is_read_only", &self.is_read_only)
            .finish_non_exhaustive()
    }
}

/// Means to let browsers in, from [`Inspector::router`].
#[derive(Clone)]
pub struct InspectorAccess(Arc<App>);

impl InspectorAccess {
    /// Address of the page with a new one-time token, for the address at which the router is nested.
    ///
    /// The token is in the fragment, so it is in no log of a server or a proxy. Give it only to a person who may see everything.
    #[must_use]
    pub fn link(&self, page: &str) -> String {
        self.0.access.link(page)
    }

    /// Ends all streams, with a reason that the page shows. Call it before the server's graceful shutdown, which waits for streams.
    pub fn end(&self, reason: impl Into<String>) {
        self.0.hub.end(reason.into());
    }
}

impl fmt::Debug for InspectorAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InspectorAccess(..)")
    }
}
