//! Agents, managers and journals that an inspector shows.

use std::sync::{Arc, Mutex, PoisonError};

use async_tool_runtime::{
    AgentRegistry, AsyncAgent, AsyncToolManager, Journal, SessionId,
    agent::{WeakAgent, WeakAgentRegistry},
    future::BoxFuture,
};

/// Owner of a session that has no agent in this process.
///
/// ```
/// use async_tool_inspector::SessionOwner;
///
/// assert_eq!(SessionOwner::new("process 123").name, "process 123");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionOwner {
    /// A few words, such as `process 123`.
    pub name: String,
}

impl SessionOwner {
    /// Owner with a name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

/// Function that finds the owner of a session.
pub(crate) type Owners = Arc<dyn Fn(SessionId) -> BoxFuture<'static, Option<SessionOwner>> + Send + Sync>;

/// Agents, managers and journals that an inspector shows.
#[derive(Default)]
pub(crate) struct Sources {
    agents: Vec<KnownAgent>,
    registries: Vec<WeakAgentRegistry>,
    managers: Vec<AsyncToolManager>,
    journals: Vec<Arc<dyn Journal>>,
    owners: Option<Owners>,
    /// Managers of agents, which were found later.
    found: Mutex<Vec<AsyncToolManager>>,
}

/// Agent of the host, which is not kept.
struct KnownAgent {
    agent: WeakAgent,
    /// Its journal, if that is gone with the agent otherwise. One on a disk is not kept open.
    journal: Option<Arc<dyn Journal>>,
}

impl Sources {
    pub(crate) fn add_agent(&mut self, agent: &AsyncAgent) {
        self.add_manager(agent.manager());
        let journal = agent.journal().filter(|journal| !journal.is_durable());
        self.agents.push(KnownAgent {
            agent: agent.downgrade(),
            journal,
        });
    }

    pub(crate) fn add_registry(&mut self, registry: &AgentRegistry) {
        self.registries.push(registry.downgrade());
    }

    pub(crate) fn add_manager(&mut self, manager: &AsyncToolManager) {
        if !self.managers.iter().any(|known| known.is_same(manager)) {
            self.managers.push(manager.clone());
        }
    }

    pub(crate) fn add_journal(&mut self, journal: Arc<dyn Journal>) {
        self.journals.push(journal);
    }

    pub(crate) fn set_owners(&mut self, owners: Owners) {
        self.owners = Some(owners);
    }

    /// Agents that run now.
    pub(crate) fn agents(&self) -> Vec<AsyncAgent> {
        let own = self.agents.iter().filter_map(|known| known.agent.upgrade());
        let registries = self.registries.iter().filter_map(WeakAgentRegistry::upgrade);
        let registered = registries.flat_map(|registry| {
            let sessions = registry.sessions().into_iter();
            let agents = sessions.filter_map(|(session, _)| registry.live(session));
            agents.collect::<Vec<_>>()
        });
        own.chain(registered).collect()
    }

    /// Sessions of agents that were given, also of those that are gone.
    pub(crate) fn given_sessions(&self) -> impl Iterator<Item = &SessionId> {
        self.agents.iter().map(|known| known.agent.session())
    }

    /// Agent of a session that runs now.
    pub(crate) fn agent(&self, session: &SessionId) -> Option<AsyncAgent> {
        let own = self.agents.iter().filter(|known| known.agent.session() == session);
        let own = own.into_iter().find_map(|known| known.agent.upgrade());
        own.or_else(|| {
            let registries = self.registries.iter().filter_map(WeakAgentRegistry::upgrade);
            registries
                .into_iter()
                .find_map(|registry| registry.live(session.clone()))
        })
    }

    /// Registries that could start the agent of a session.
    pub(crate) fn registries(&self) -> impl Iterator<Item = AgentRegistry> {
        self.registries.iter().filter_map(WeakAgentRegistry::upgrade)
    }

    /// Journals that may have a session; the one of its agent is first.
    pub(crate) fn journals_of(&self, session: &SessionId) -> Vec<Arc<dyn Journal>> {
        let agent = self.agent(session);
        let mut journals: Vec<Arc<dyn Journal>> = agent.iter().filter_map(AsyncAgent::journal).collect();
        let own = self.agents.iter().filter(|known| known.agent.session() == session);
        journals.extend(own.filter_map(|known| known.journal.clone()));
        journals.extend(self.journals.iter().cloned());
        journals
    }

    pub(crate) fn journals(&self) -> &[Arc<dyn Journal>] {
        &self.journals
    }

    pub(crate) fn owners(&self) -> Option<&Owners> {
        self.owners.as_ref()
    }

    /// All managers: those that were given, and those of agents that have run so far.
    pub(crate) fn managers(&self) -> Vec<AsyncToolManager> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        for agent in self.agents() {
            let manager = agent.manager();
            let is_known = |known: &AsyncToolManager| known.is_same(manager);
            if !self.managers.iter().chain(found.iter()).any(is_known) {
                found.push(manager.clone());
            }
        }
        self.managers.iter().chain(found.iter()).cloned().collect()
    }
}
