//! Agents of many sessions, for a service.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use super::{AgentState, AsyncAgent, Departure, EventId, RegistryEventStream};
use crate::session::SessionId;

pub(super) mod builder;
pub(super) mod error;
mod places;
pub(super) mod recovery;
pub(super) mod session_events;
mod tenancy;

use error::RegistryError;
use places::Places;
use session_events::SessionEventStream;
use tenancy::Mode;

/// Agents of many sessions: [`get`](Self::get) starts or resumes the agent of a session, and those that are idle leave.
///
/// A cheap handle; clones refer to the same registry. All sessions are in one journal.
///
/// ```
/// use async_tool_runtime::{AgentRegistry, AsyncAgent, AsyncToolManager, RulePlanner, journal::MemoryJournal};
/// use std::{sync::Arc, time::Duration};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().build()?;
/// let journal = Arc::new(MemoryJournal::new()); // Or one that outlives the process.
/// let agents = AgentRegistry::builder(journal, move |session| {
///     AsyncAgent::builder(RulePlanner::new(), manager.clone()).system(format!("You help {session}."))
/// })
/// .idle_after(Duration::from_secs(300))
/// .build();
///
/// // For each request:
/// let agent = agents.get("ann").await?;
/// agent.send("status").await?;
/// agent.run_until_idle().await?;
///
/// // Five minutes later, the agent has left its session. The next request resumes it.
/// tokio::time::sleep(Duration::from_secs(301)).await;
/// assert!(agents.live("ann").is_none());
/// assert_eq!(agents.get("ann").await?.transcript().await?.len(), 2);
///
/// // After SIGTERM:
/// let departure = agents.leave_all(Duration::from_secs(10)).await;
/// assert_eq!(departure.left[0].as_str(), "ann");
/// # Ok(())
/// # }
/// ```
///
/// # What holds
///
/// 1. A session has one agent, however many callers ask for it at once. A caller that comes while the agent starts or
///    leaves waits, and gets the agent or the same error.
/// 2. An agent leaves when it has been [parked](AsyncAgent::run_until_parked) for the [idle
///    time](super::AgentRegistryBuilder::idle_after): no turn and no task runs, except tasks that wait for people or for the
///    outside. Each `get` and each step of the agent begin the time again. A message that was accepted is never left
///    behind: the agent itself decides, between two commands.
/// 3. A held handle doesn't keep an agent from leaving. Its methods then return
///    [`AgentError::Stopped`](super::AgentError::Stopped), so get the agent again for each request.
/// 4. If a task of a session that was left has a deadline for its completion from outside, the session is resumed then.
/// 5. An agent that stops, for example because its journal has failed, is replaced at the next `get`.
/// 6. When the last handle of the registry is dropped, so are its handles of the agents; see [`AsyncAgent`].
///
/// A result from outside needs the session's agent: `get` it before
/// [`resolve`](crate::manager::AsyncToolManager::resolve), or [`recover`](Self::recover) at the start of the process.
///
/// # Memory
///
/// A live session that has answered its user once takes about 10 KB, and 150 KB more once its events are read. A session that was left takes
/// nothing, and one with a deadline about 400 bytes. `cargo bench -p async-tool-benches --bench agent -- registry` measures it.
#[derive(Clone)]
pub struct AgentRegistry {
    places: Arc<Places>,
}

impl AgentRegistry {
    /// Agent of a session: the live one, or a new one that [resumes or
    /// starts](super::AsyncAgentBuilder::resume_or_start) the session.
    ///
    /// ```
    /// # use async_tool_runtime::{AgentRegistry, AsyncAgent, AsyncToolManager, RulePlanner, journal::MemoryJournal};
    /// use async_tool_runtime::agent::RegistryError;
    ///
    /// /// Status and header of a web service's answer.
    /// fn refusal(error: &RegistryError) -> (u16, Option<u64>) {
    ///     match error.retry_after() {
    ///         Some(after) => (503, Some(after.as_secs() + 1)), // `Retry-After`
    ///         None if error.is_conflict() => (409, None),
    ///         None if error.is_closed() => (410, None),
    ///         None => (500, None),
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().build()?;
    /// # let make = move |_: &_| AsyncAgent::builder(RulePlanner::new(), manager.clone());
    /// # let agents = AgentRegistry::builder(MemoryJournal::new(), make).build();
    /// match agents.get("ann").await {
    ///     Ok(agent) => agent.send("help").await?,
    ///     Err(error) => println!("{error}: {:?}", refusal(&error)),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RegistryError::Start`] if the agent can't be started, for example because another process has the session.
    /// [`RegistryError::Builder`] if its builder can't be made. [`RegistryError::Full`] if too many agents are live and
    /// none of them can leave. [`RegistryError::Ended`] after [`leave_all`](Self::leave_all).
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: the agent is started all the same, for other callers and the next one.
    pub async fn get(&self, session: impl Into<SessionId>) -> Result<AsyncAgent, RegistryError> {
        let session = session.into();
        loop {
            // `None` if another caller has found that the session has no work, which this one gives it.
            if let Some(agent) = self.places.get(&session, Mode::Get).await? {
                return Ok(agent);
            }
        }
    }

    /// Agent of a session that has a live one. Doesn't begin the idle time again.
    #[must_use]
    pub fn live(&self, session: impl Into<SessionId>) -> Option<AsyncAgent> {
        self.places.live(&session.into())
    }

    /// Handle that doesn't keep the registry.
    #[must_use]
    pub fn downgrade(&self) -> WeakAgentRegistry {
        WeakAgentRegistry {
            places: Arc::downgrade(&self.places),
        }
    }

    /// Sessions with a live agent, in their order, and the agents' states.
    ///
    /// ```
    /// # use async_tool_runtime::{AgentRegistry, AsyncAgent, AsyncToolManager, RulePlanner, journal::MemoryJournal};
    /// use async_tool_runtime::agent::AgentState;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().build()?;
    /// # let make = move |_: &_| AsyncAgent::builder(RulePlanner::new(), manager.clone());
    /// # let agents = AgentRegistry::builder(MemoryJournal::new(), make).build();
    /// agents.get("ann").await?;
    /// for (session, state) in agents.sessions() {
    ///     assert_eq!((session.as_str(), state), ("ann", AgentState::Idle));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn sessions(&self) -> Vec<(SessionId, AgentState)> {
        let agents = self.places.agents();
        agents
            .iter()
            .map(|agent| (agent.session().clone(), agent.state()))
            .collect()
    }

    /// Events of all sessions from now on, in one stream. Agents that start later are included.
    ///
    /// ```
    /// # use async_tool_runtime::{AgentRegistry, AsyncAgent, AsyncToolManager, RulePlanner, journal::MemoryJournal};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().build()?;
    /// # let make = move |_: &_| AsyncAgent::builder(RulePlanner::new(), manager.clone());
    /// # let agents = AgentRegistry::builder(MemoryJournal::new(), make).build();
    /// let mut events = agents.events();
    /// agents.get("ann").await?.send("help").await?;
    /// let told = events.next().await.expect("the registry is there");
    /// assert_eq!(told.session, Some("ann".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&self) -> RegistryEventStream {
        self.places.audience.subscribe()
    }

    /// Events of a session after a place in its journal, as from [`AsyncAgent::events_after`], also through later
    /// departures: when the agent has left, the stream waits for the next agent of the session, and goes on without a gap.
    /// It resumes the session once, to begin with; while it waits it doesn't.
    ///
    /// For a client that stays connected, such as a page with server-sent events. With `Seq::START` the stream begins with
    /// the session.
    ///
    /// ```
    /// # use async_tool_runtime::{AgentRegistry, AsyncAgent, AsyncToolManager, RulePlanner, journal::MemoryJournal};
    /// use async_tool_runtime::{AgentEventKind, agent::EventId, journal::Seq};
    /// # use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().build()?;
    /// # let make = move |_: &_| AsyncAgent::builder(RulePlanner::new(), manager.clone());
    /// # let agents = AgentRegistry::builder(MemoryJournal::new(), make).build();
    /// let last: Option<EventId> = None; // The header `Last-Event-ID`, parsed.
    /// let mut events = agents.events_after("ann", last.unwrap_or(Seq::START.into())).await?;
    /// tokio::time::sleep(Duration::from_secs(3600)).await; // The agent leaves meanwhile.
    /// agents.get("ann").await?.send("help").await?;
    /// while let Some(event) = events.next().await {
    ///     if let AgentEventKind::UserMessage { text, .. } = event.kind {
    ///         assert_eq!(text, "help");
    ///         break;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn events_after(
        &self,
        session: impl Into<SessionId>,
        place: impl Into<EventId>,
    ) -> Result<SessionEventStream, RegistryError> {
        let (session, place) = (session.into(), place.into());
        loop {
            let agent = self.get(session.clone()).await?;
            // An agent that is gone already is replaced.
            if let Ok(events) = agent.events_after(place).await {
                return Ok(SessionEventStream::new(&self.places, session, place, events));
            }
        }
    }

    /// Lets all agents leave their sessions, at the same time, and starts no more. Call it when the process is told to
    /// end. It returns when all have left, or after `limit`; agents that need longer go on leaving.
    ///
    /// From now on, [`get`](Self::get) returns [`RegistryError::Ended`]. Agents that are just starting leave too. Any
    /// process can resume a session that was left.
    ///
    /// ```
    /// # use async_tool_runtime::{AgentRegistry, AsyncAgent, AsyncToolManager, RulePlanner, journal::MemoryJournal};
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().build()?;
    /// # let make = move |_: &_| AsyncAgent::builder(RulePlanner::new(), manager.clone());
    /// # let agents = AgentRegistry::builder(MemoryJournal::new(), make).build();
    /// # agents.get("ann").await?;
    /// let departure = agents.leave_all(Duration::from_secs(10)).await;
    /// for session in &departure.late {
    ///     eprintln!("{session} still leaves");
    /// }
    /// assert!(agents.get("ann").await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the agents go on leaving. Call it again to wait.
    pub async fn leave_all(&self, limit: Duration) -> Departure {
        self.places.leave_all(limit).await
    }
}

/// Handle of a registry that doesn't keep it, for displays.
///
/// ```
/// use std::sync::Arc;
/// use async_tool_runtime::{AgentRegistry, AsyncAgent, AsyncToolManager, RulePlanner, journal::MemoryJournal};
///
/// let manager = AsyncToolManager::builder().build()?;
/// let journal = Arc::new(MemoryJournal::new());
/// let agents = AgentRegistry::builder(journal, move |_| {
///     AsyncAgent::builder(RulePlanner::new(), manager.clone())
/// })
/// .build();
/// let weak = agents.downgrade();
/// assert!(weak.upgrade().is_some());
/// drop(agents);
/// assert!(weak.upgrade().is_none());
/// # Ok::<(), async_tool_runtime::manager::BuildError>(())
/// ```
#[derive(Clone)]
pub struct WeakAgentRegistry {
    places: Weak<Places>,
}

impl WeakAgentRegistry {
    /// Handle that keeps the registry; `None` once the last one was dropped.
    #[must_use]
    pub fn upgrade(&self) -> Option<AgentRegistry> {
        let places = self.places.upgrade()?;
        Some(AgentRegistry { places })
    }
}

impl fmt::Debug for WeakAgentRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakAgentRegistry(..)")
    }
}

impl fmt::Debug for AgentRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentRegistry")
            .field("sessions", &self.sessions())
            .finish_non_exhaustive()
    }
}
