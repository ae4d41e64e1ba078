//! Errors of a registry of agents.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use crate::agent::StartError;

/// Error of [`AgentRegistry::get`](super::AgentRegistry::get). All callers that waited for the same start get the same one.
///
/// Its text leaves out the cause, such as the error of the registry's function: print its [`source`](Error::source) too.
///
/// ```
/// use async_tool_runtime::{
///     AgentRegistry, AsyncAgent, AsyncToolManager, RulePlanner,
///     agent::{RegistryError, StartError},
///     journal::MemoryJournal,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().build()?;
/// let make = move |_: &_| AsyncAgent::builder(RulePlanner::new(), manager.clone()).tools(["no_such_tool"]);
/// let agents = AgentRegistry::builder(MemoryJournal::new(), make).build();
/// match agents.get("ann").await {
///     Err(RegistryError::Start(error)) => assert!(matches!(&*error, StartError::UnknownTool { .. })),
///     other => panic!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RegistryError {
    /// The agent can't be started or resumed, for example because [another process has the
    /// session](StartError::SessionTaken).
    Start(Arc<StartError>),
    /// The registry's function could not make the builder of the agent.
    Builder(Arc<dyn Error + Send + Sync>),
    /// As many agents are live as the registry may have, and all of them are at work or in use.
    Full {
        /// Largest number of live agents.
        limit: usize,
    },
    /// [`leave_all`](super::AgentRegistry::leave_all) was called.
    Ended,
}

impl RegistryError {
    /// True if another agent has the session: of another process, or one outside of the registry.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Start(error) if error.is_conflict())
    }

    /// True if the session is closed: start another one.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Start(error) if matches!(**error, StartError::SessionClosed { .. }))
    }

    /// Time after which a retry can succeed, if it is known: another process that has the session shows no sign of life.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Start(error) => match &**error {
                StartError::SessionTaken { retry_after, .. } => *retry_after,
                _ => None,
            },
            _ => None,
        }
    }
}

impl From<StartError> for RegistryError {
    fn from(error: StartError) -> Self {
        Self::Start(Arc::new(error))
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => error.fmt(f),
            Self::Builder(_) => f.write_str("the agent's builder can't be made"),
            Self::Full { limit } => write!(
                f,
                "{limit} agents are live, the most that the registry may have, and none of them is idle; try again later"
            ),
            Self::Ended => f.write_str("the registry has left its sessions and starts no more agents"),
        }
    }
}

impl Error for RegistryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Start(error) => error.source(),
            Self::Builder(error) => Some(&**error),
            Self::Full { .. } | Self::Ended => None,
        }
    }
}
