//! Recovery of the sessions of a process that has ended.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{AsyncAgent, AsyncAgentBuilder, StartError, command::Command};
use crate::{
    broadcast::next,
    journal::{Journal, ReadError, SessionFilter},
    manager::AsyncToolManager,
    session::SessionId,
};

/// Outcome of [`AsyncToolManager::recover`].
///
/// ```
/// use async_tool_runtime::{agent::Recovery, journal::MemoryJournal, AsyncAgent, AsyncToolManager, Journal, RulePlanner};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().build()?;
/// let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
/// let build = || AsyncAgent::builder(RulePlanner::new(), manager.clone());
/// build().session("main").journal(Arc::clone(&journal)).start().await?.leave().await?;
///
/// // The next process.
/// let Recovery { agents, failed, .. } = manager.recover(&journal, |_session| Some(build())).await?;
/// assert!(failed.is_empty());
/// assert_eq!(agents[0].session().as_str(), "main");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
#[must_use = "an agent whose last handle is dropped ends"]
pub struct Recovery {
    /// Agents of the sessions that were resumed.
    pub agents: Vec<AsyncAgent>,
    /// Sessions that could not be resumed. Nothing of them is lost; try them again.
    pub failed: Vec<RecoverError>,
}

/// Session that could not be resumed, with the reason.
///
/// ```
/// use async_tool_runtime::{
///     agent::StartError,
///     journal::{Claim, Entry, MemoryJournal, Seq},
///     task::Timestamp,
///     AsyncAgent, AsyncToolManager, Journal, RulePlanner, SessionId,
/// };
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().build()?;
/// let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
/// // A session without a beginning.
/// let entry = Entry::UserMessage { text: "hello".to_owned(), media: Vec::new(), traceparent: None, at: Timestamp::from_millis(0) };
/// journal.append(&SessionId::new("broken"), &Claim::new(), Seq::START, &[entry]).await?;
///
/// let recovery = manager.recover(&journal, |_| Some(AsyncAgent::builder(RulePlanner::new(), manager.clone()))).await?;
/// let failed = &recovery.failed[0];
/// assert_eq!(failed.session.as_str(), "broken");
/// assert!(matches!(failed.error, StartError::Fold { .. }));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct RecoverError {
    /// The session.
    pub session: SessionId,
    /// Reason of the failure.
    pub error: StartError,
}

impl AsyncToolManager {
    /// Resumes all open sessions of a journal that no agent of this manager has. Call it when a process starts.
    ///
    /// `agent` returns the builder for each session, or `None` to leave the session as it is. This function sets the
    /// builder's session and journal. It leaves the sessions of agents that are tools to the calls that they work for.
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
    /// # assert!(recovery.agents.is_empty() && recovery.failed.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the sessions can't be listed. [`Recovery::failed`] has the errors of single sessions.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the agents started so far [leave](AsyncAgent::leave) their sessions, which stay open.
    pub async fn recover(
        &self,
        journal: &Arc<dyn Journal>,
        mut agent: impl FnMut(&SessionId) -> Option<AsyncAgentBuilder>,
    ) -> Result<Recovery, ReadError> {
        let _resuming = self.resuming();
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

/// Resumed agents that the caller does not have yet.
#[derive(Default)]
struct TakenUp(Vec<AsyncAgent>);

impl Drop for TakenUp {
    fn drop(&mut self) {
        for agent in &self.0 {
            // The agent has had no command yet, so its channel has room. Without `Leave`, dropping its last handle
            // would close the session of a journal that isn't durable.
            let (reply, _nobody_waits) = oneshot::channel();
            let _there_is_room = agent.commands.try_send(Command::Leave(reply));
        }
    }
}
