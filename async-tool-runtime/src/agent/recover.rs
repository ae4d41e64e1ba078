//! Takes up the sessions of a process that has ended.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{AsyncAgent, AsyncAgentBuilder, StartError, handle::Command};
use crate::{
    broadcast::next,
    journal::{Journal, ReadError, SessionFilter},
    manager::AsyncToolManager,
    session::SessionId,
};

/// Outcome of [`AsyncToolManager::recover`].
#[derive(Debug, Default)]
#[non_exhaustive]
#[must_use = "an agent whose last handle is dropped is closed"]
pub struct Recovery {
    /// The sessions that were taken up.
    pub agents: Vec<AsyncAgent>,
    /// Those that could not be. Nothing of them is lost: they can be tried again.
    pub failed: Vec<RecoverError>,
}

/// A session that could not be taken up.
#[derive(Debug)]
#[non_exhaustive]
pub struct RecoverError {
    /// The session.
    pub session: SessionId,
    /// Reason.
    pub error: StartError,
}

impl AsyncToolManager {
    /// Takes up all sessions of a journal that are not closed, and that no agent of this manager has: to be called when a process starts.
    ///
    /// `agent` is asked for each session, and gives the builder of its agent, or `None` to leave the session as it is; the builder's session
    /// and journal are set here. Sessions of agents that are tools are left to the calls that they work for.
    ///
    /// ```
    /// use async_tool_runtime::{
    ///     async_tool, journal::MemoryJournal, tools, AsyncAgent, AsyncToolManager, Journal, RulePlanner,
    /// };
    /// use std::sync::Arc;
    ///
    /// /// Adds two numbers.
    /// #[async_tool(effect = "read")]
    /// async fn add(a: i64, b: i64) -> i64 {
    ///     a + b
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new()); // Or one that outlives the process.
    /// let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
    /// let recovery = manager
    ///     .recover(&journal, |_session| Some(AsyncAgent::builder(RulePlanner::new(), manager.clone())))
    ///     .await?;
    /// for agent in &recovery.agents {
    ///     println!("{}: {:?}", agent.session(), agent.resumption());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the sessions can't be listed. What is wrong with one of them is in [`Recovery::failed`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the agents that were started by then [leave](AsyncAgent::leave) their sessions, which stay open.
    pub async fn recover(
        &self,
        journal: &Arc<dyn Journal>,
        mut agent: impl FnMut(&SessionId) -> Option<AsyncAgentBuilder>,
    ) -> Result<Recovery, ReadError> {
        let mut sessions = Vec::new();
        let mut open = journal.sessions(SessionFilter::Open);
        while let Some(session) = next(&mut open).await {
            sessions.push(session?);
        }
        drop(open);
        let mut recovery = Recovery::default();
        let mut taken_up = TakenUp::default();
        for session in sessions {
            if self.is_routed(&session) {
                continue;
            }
            let Some(builder) = agent(&session) else { continue };
            let builder = builder.session(session.clone()).journal(Arc::clone(journal));
            match builder.resume_top().await {
                Ok(agent) => taken_up.0.extend(agent),
                Err(error) => recovery.failed.push(RecoverError { session, error }),
            }
        }
        recovery.agents = std::mem::take(&mut taken_up.0);
        Ok(recovery)
    }
}

/// Agents that nobody has been given yet.
#[derive(Default)]
struct TakenUp(Vec<AsyncAgent>);

impl Drop for TakenUp {
    fn drop(&mut self) {
        for agent in &self.0 {
            // Nothing has been said to it yet, so there is room. Otherwise it would be closed with its last handle.
            let (reply, _nobody_waits) = oneshot::channel();
            let _there_is_room = agent.commands.try_send(Command::Leave(reply));
        }
    }
}
