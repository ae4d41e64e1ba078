//! Handle of an agent that doesn't keep it.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::{AsyncAgent, Resumption, command::Command, event_channel::Events, setup::Setup, status::AgentStatus};
use crate::{manager::AsyncToolManager, session::SessionId};

/// Handle of an agent that doesn't keep it: the agent ends when its last [`AsyncAgent`] is dropped, whatever weak handles there are.
///
/// For displays and registries of the host's own.
///
/// ```
/// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).start().await?;
/// let weak = agent.downgrade();
/// assert!(weak.upgrade().is_some());
/// drop(agent);
/// assert!(weak.upgrade().is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct WeakAgent {
    session: SessionId,
    manager: AsyncToolManager,
    commands: mpsc::WeakSender<Command>,
    events: Events,
    status: watch::Receiver<AgentStatus>,
    resumption: Option<Arc<Resumption>>,
    setup: Option<Arc<Setup>>,
}

impl WeakAgent {
    /// Id of the session.
    #[must_use]
    pub const fn session(&self) -> &SessionId {
        &self.session
    }

    /// Handle of the agent, which keeps it; `None` once the last handle was dropped.
    #[must_use]
    pub fn upgrade(&self) -> Option<AsyncAgent> {
        Some(AsyncAgent {
            session: self.session.clone(),
            manager: self.manager.clone(),
            commands: self.commands.upgrade()?,
            events: self.events.clone(),
            status: self.status.clone(),
            resumption: self.resumption.clone(),
            setup: self.setup.clone(),
        })
    }
}

impl AsyncAgent {
    /// Handle that doesn't keep the agent.
    #[must_use]
    pub fn downgrade(&self) -> WeakAgent {
        WeakAgent {
            session: self.session.clone(),
            manager: self.manager.clone(),
            commands: self.commands.downgrade(),
            events: self.events.clone(),
            status: self.status.clone(),
            resumption: self.resumption.clone(),
            setup: self.setup.clone(),
        }
    }
}
