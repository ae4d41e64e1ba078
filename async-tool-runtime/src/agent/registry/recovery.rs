//! Sessions of a registry at the start of a process.

use super::{AgentRegistry, error::RegistryError, tenancy::Mode};
use crate::{
    broadcast::next,
    journal::{ReadError, SessionFilter},
    session::SessionId,
};

/// Outcome of [`AgentRegistry::recover`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RegistryRecovery {
    /// Sessions that had work, and have an agent now.
    pub resumed: Vec<SessionId>,
    /// Sessions that could not be resumed, with the reason. Nothing of them is lost; the next [`get`](AgentRegistry::get) tries again.
    pub failed: Vec<(SessionId, RegistryError)>,
}

impl AgentRegistry {
    /// Resumes the open sessions of the journal that have work: tasks, results that the model has not seen, or messages without an answer.
    /// Call it when a process starts. All other sessions are resumed when they are asked for.
    ///
    /// ```
    /// use async_tool_runtime::{
    ///     AgentRegistry, AsyncAgent, AsyncToolManager, RulePlanner, async_tool, journal::MemoryJournal, tools,
    /// };
    /// use std::{sync::Arc, time::Duration};
    ///
    /// /// Researches a topic.
    /// #[async_tool(effect = "read", background = "always")]
    /// async fn research(topic: String) -> String {
    ///     tokio::time::sleep(Duration::from_secs(60)).await;
    ///     format!("three sources agree on {topic}")
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let journal = Arc::new(MemoryJournal::new()); // Or one that outlives the process.
    /// let process = || -> Result<AgentRegistry, Box<dyn std::error::Error>> {
    ///     let manager = AsyncToolManager::builder().tools(tools![research]).build()?;
    ///     let make = move |_: &_| AsyncAgent::builder(RulePlanner::new(), manager.clone());
    ///     Ok(AgentRegistry::builder(Arc::clone(&journal), make).build())
    /// };
    /// let first = process()?;
    /// first.get("ann").await?.send("research bees").await?;
    /// first.get("bob").await?.run_to_completion("help").await?;
    /// tokio::time::sleep(Duration::from_secs(1)).await;
    /// let _ = first.leave_all(Duration::from_secs(10)).await;
    ///
    /// let second = process()?;
    /// let recovery = second.recover().await?;
    /// assert_eq!(recovery.resumed, ["ann".into()]);
    /// assert!(recovery.failed.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the sessions can't be listed. [`RegistryRecovery::failed`] has the errors of single sessions.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the sessions resumed so far have their agents. Call it again to go on.
    pub async fn recover(&self) -> Result<RegistryRecovery, ReadError> {
        let mut sessions = Vec::new();
        let mut open = self.places.journal.sessions(SessionFilter::Open);
        while let Some(session) = next(&mut open).await {
            sessions.push(session?);
        }
        drop(open);
        // The order of a journal may be that of a hash.
        sessions.sort();
        let mut recovery = RegistryRecovery::default();
        for session in sessions {
            if self.live(session.clone()).is_some() {
                continue;
            }
            match self.places.get(&session, Mode::Recover).await {
                Ok(Some(_)) => recovery.resumed.push(session),
                Ok(None) => {}
                Err(error) => recovery.failed.push((session, error)),
            }
        }
        Ok(recovery)
    }
}
