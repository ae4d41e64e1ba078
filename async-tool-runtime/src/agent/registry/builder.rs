//! Builder of registries.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use super::{
    AgentRegistry,
    places::{Make, Places},
};
use crate::{agent::AsyncAgentBuilder, journal::Journal, session::SessionId};

/// Idle time after which an agent leaves its session, unless it is set.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// Builder of an [`AgentRegistry`].
///
/// ```
/// use async_tool_runtime::{AgentRegistry, AsyncAgent, AsyncToolManager, RulePlanner, journal::MemoryJournal};
/// use std::time::Duration;
///
/// # let manager = AsyncToolManager::builder().build()?;
/// let make = move |_session: &_| AsyncAgent::builder(RulePlanner::new(), manager.clone());
/// let agents = AgentRegistry::builder(MemoryJournal::new(), make) // Or a journal that outlives the process.
///     .idle_after(Duration::from_secs(60))
///     .max_live(10_000)
///     .build();
/// assert!(agents.sessions().is_empty());
/// # Ok::<(), async_tool_runtime::manager::BuildError>(())
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct AgentRegistryBuilder {
    journal: Arc<dyn Journal>,
    make: Make,
    idle: Duration,
    limit: Option<usize>,
}

impl AgentRegistry {
    /// Builder of a registry for the sessions of a journal. `agent` makes the builder of a session's agent: its model,
    /// manager, system prompt and policies. The registry sets session and journal.
    ///
    /// It is called again each time the session is resumed.
    ///
    /// ```
    /// use async_tool_runtime::{AgentRegistry, AsyncAgent, AsyncToolManager, RulePlanner, journal::MemoryJournal};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().build()?;
    /// let agents = AgentRegistry::builder(MemoryJournal::new(), move |session| {
    ///     AsyncAgent::builder(RulePlanner::new(), manager.clone()).system(format!("You help {session}."))
    /// })
    /// .build();
    /// agents.get("ann").await?.send("help").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(
        journal: impl Journal,
        agent: impl Fn(&SessionId) -> AsyncAgentBuilder + Send + Sync + 'static,
    ) -> AgentRegistryBuilder {
        let agent = Arc::new(agent);
        let make: Make = Arc::new(move |session| {
            let agent = Arc::clone(&agent);
            Box::pin(async move { Ok(agent(&session)) })
        });
        AgentRegistryBuilder::new(Arc::new(journal), make)
    }

    /// Like [`builder`](Self::builder), with a function that may wait and fail: for users whose settings and credentials
    /// are in a database.
    ///
    /// A tool finds the credentials of its user by its session, through
    /// [`FromToolContext`](crate::tool::FromToolContext). The function runs before each start and each resume, and a tool's parameter is
    /// made for each attempt. So a call that runs again after a restart has credentials too, and no journal has them:
    ///
    /// ```
    /// use async_tool_runtime::{
    ///     AgentRegistry, AsyncAgent, AsyncToolManager, RulePlanner, SessionId, ToolContext, ToolError, ToolErrorKind,
    ///     async_tool, journal::MemoryJournal, tool, tools,
    /// };
    /// use std::{collections::HashMap, io, sync::{Arc, Mutex}};
    ///
    /// /// Tokens of the users whose sessions are live.
    /// #[derive(Default)]
    /// struct Vault(Mutex<HashMap<String, Arc<str>>>);
    ///
    /// /// The user of `ann/chat-12`. Sub-agents have sessions below it, such as `ann/chat-12/…`.
    /// fn user(session: &SessionId) -> &str {
    ///     session.as_str().split('/').next().unwrap_or_default()
    /// }
    ///
    /// /// Token of the user for whom a tool runs.
    /// struct Token(Arc<str>);
    ///
    /// impl tool::FromToolContext for Token {
    ///     fn from_tool_context(cx: &ToolContext) -> Result<Self, ToolError> {
    ///         let vault = tool::State::<Vault>::from_tool_context(cx)?;
    ///         let token = vault.0.lock().unwrap().get(user(cx.session())).cloned();
    ///         token.map(Self).ok_or_else(|| ToolError::new(ToolErrorKind::Refused, "the user has no token"))
    ///     }
    ///
    ///     fn requirement() -> Option<tool::Requirement> {
    ///         Some(tool::Requirement::state::<Vault>())
    ///     }
    /// }
    ///
    /// /// Lists the user's repositories.
    /// #[async_tool(effect = "read")]
    /// async fn repositories(#[inject] token: Token) -> String {
    ///     format!("asked with {}", token.0) // A request to a server.
    /// }
    ///
    /// async fn load(user: &str) -> Result<Arc<str>, io::Error> {
    ///     Ok(format!("token-of-{user}").into()) // A query of a database.
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let vault = Arc::new(Vault::default());
    /// let manager = AsyncToolManager::builder().tools(tools![repositories]).shared_state(Arc::clone(&vault)).build()?;
    /// let agents = AgentRegistry::builder_async(MemoryJournal::new(), move |session| {
    ///     let (vault, manager) = (Arc::clone(&vault), manager.clone());
    ///     async move {
    ///         let token = load(user(&session)).await?;
    ///         vault.0.lock().unwrap().insert(user(&session).to_owned(), token);
    ///         Ok::<_, io::Error>(AsyncAgent::builder(RulePlanner::new(), manager))
    ///     }
    /// })
    /// .build();
    /// let summary = agents.get("ann/chat-12").await?.run_to_completion("repositories").await?;
    /// assert!(summary.text.contains("asked with token-of-ann"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder_async<F, E>(
        journal: impl Journal,
        agent: impl Fn(SessionId) -> F + Send + Sync + 'static,
    ) -> AgentRegistryBuilder
    where
        F: Future<Output = Result<AsyncAgentBuilder, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let make: Make = Arc::new(move |session| {
            let made = agent(session);
            Box::pin(async move { made.await.map_err(|error| Arc::from(error.into())) })
        });
        AgentRegistryBuilder::new(Arc::new(journal), make)
    }
}

impl AgentRegistryBuilder {
    fn new(journal: Arc<dyn Journal>, make: Make) -> Self {
        Self {
            journal,
            make,
            idle: IDLE,
            limit: None,
        }
    }

    /// Time for which an agent must have nothing to do before it leaves its session. Default: 10 minutes.
    /// `Duration::MAX` keeps all agents.
    pub fn idle_after(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Largest number of live agents. For one more, the agent that was used least recently leaves, if it is idle and its
    /// handles are dropped; otherwise [`get`](AgentRegistry::get) returns [`RegistryError::Full`](super::error::RegistryError::Full).
    /// Default: no limit.
    ///
    /// ```
    /// use async_tool_runtime::{AgentRegistry, AsyncAgent, AsyncToolManager, RulePlanner, journal::MemoryJournal};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().build()?;
    /// # let make = move |_: &_| AsyncAgent::builder(RulePlanner::new(), manager.clone());
    /// let agents = AgentRegistry::builder(MemoryJournal::new(), make).max_live(1).build();
    /// let ann = agents.get("ann").await?;
    /// assert!(agents.get("bob").await.is_err(), "`ann` may be about to get a message");
    /// drop(ann);
    /// agents.get("bob").await?;
    /// assert!(agents.live("ann").is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_live(mut self, agents: usize) -> Self {
        self.limit = Some(agents);
        self
    }

    /// Builds the registry. It has no agents yet.
    #[must_use]
    pub fn build(self) -> AgentRegistry {
        AgentRegistry {
            places: Arc::new(Places::new(self.journal, self.make, self.idle, self.limit)),
        }
    }
}

impl fmt::Debug for AgentRegistryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentRegistryBuilder")
            .field("idle", &self.idle)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
