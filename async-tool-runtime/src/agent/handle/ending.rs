//! The two ends of an agent: `close` ends its session, `leave` keeps it for the next process.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::agent::{AgentError, AsyncAgent, CloseMode, command::Command, idleness::Idleness};

impl AsyncAgent {
    /// Ends the session: it takes no more messages, aborts a running turn and tells its tasks to stop. The journal
    /// records the results that the model has not seen as dropped, with that reason. Returns when all tasks and the tasks
    /// below them have ended, and the journal has given the session up.
    /// [`close_with`](Self::close_with) lets tasks finish first, or go on.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner};
    /// use async_tool_runtime::agent::AgentError;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).start().await?;
    /// agent.close().await?;
    /// assert!(matches!(agent.send("one more thing").await, Err(AgentError::Closed)));
    /// agent.close().await?; // Once more changes nothing.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AgentError::Stopped`] if the session has stopped.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the session may go on closing. Call it again to wait for the end.
    pub async fn close(&self) -> Result<(), AgentError> {
        self.close_with(CloseMode::Cancel).await
    }

    /// Ends the session in one of three ways. Returns when the session is over: at the latest when all cancelled tasks
    /// have ended.
    ///
    /// ```
    /// use async_tool_runtime::{agent::CloseMode, async_tool, tools, AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner};
    ///
    /// /// Exports the year's data.
    /// #[async_tool(background = "always")]
    /// async fn export() {
    ///     std::future::pending().await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![export]).build()?;
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), manager.clone()).start().await?;
    /// # let mut events = agent.events();
    /// agent.send("export").await?;
    /// # while !matches!(events.next().await.map(|event| event.kind), Some(AgentEventKind::Acknowledged { .. })) {}
    /// agent.close_with(CloseMode::Detach).await?;
    /// let task = agent.tasks().await?[0].task;
    /// let handle = manager.task(task).expect("the export goes on");
    /// assert!(!handle.status().is_terminal());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AgentError::Stopped`] if the session has stopped.
    ///
    /// # Cancel safety
    ///
    /// As for [`close`](Self::close).
    pub async fn close_with(&self, mode: CloseMode) -> Result<(), AgentError> {
        self.ask(|reply| Command::Close(mode, reply)).await?
    }

    /// Leaves the session without ending it, for a process that ends and will be restarted, or for a hand-over to
    /// another process. [`leave_all`](crate::AsyncToolManager::leave_all) does this for all agents at the same time.
    ///
    /// Returns when the session's tasks have stopped here and the journal has [given the session
    /// up](crate::journal::Journal::release). From then on, any process can resume it at once, also while this process
    /// goes on and uses the journal for other sessions.
    ///
    /// - The session stays open in its journal. It goes on when it is [resumed](crate::agent::AsyncAgentBuilder::resume), as
    ///   if this process had been killed now. Without a journal that outlives the process, it is lost.
    /// - Nothing more is written to the journal. Tasks on a [`Backend`](crate::backend::Backend) that keeps tasks go
    ///   on; all others are told to stop.
    /// - The agent does nothing from then on, and dropping its handles closes nothing. A result from outside for an open
    ///   task of the session gets [`ResolveError::NotWritten`](crate::manager::ResolveError::NotWritten) here.
    ///
    /// ```
    /// # use async_tool_runtime::{journal::MemoryJournal, AsyncAgent, AsyncToolManager, RulePlanner};
    /// # use std::sync::Arc;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let journal = Arc::new(MemoryJournal::new());
    /// # let builder = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).journal(journal);
    /// let agent = builder.clone().start().await?;
    /// agent.leave().await?;
    /// assert!(agent.send("too late").await.is_err());
    ///
    /// let agent = builder.resume().await?; // In the next process.
    /// agent.send("status").await?;
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AgentError::Closed`] if the agent is gone. [`AgentError::Stopped`] if the agent has left, but the journal could
    /// not give the session up: a journal with leases may then hold it until its lease ends. Leaving again tries that
    /// again.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the agent may or may not have left the session.
    pub async fn leave(&self) -> Result<(), AgentError> {
        self.ask(Command::Leave).await?
    }

    /// Leaves the session if the agent has been [parked](Self::run_until_parked) for some time. `None` if it is gone.
    ///
    /// The shell decides, so no message comes between the look and the departure.
    pub(in crate::agent) async fn leave_if_idle(&self, idle: Duration) -> Option<Idleness> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::LeaveIfIdle(idle, reply)).await.ok()?;
        answer.await.ok()
    }

    /// True if the agent does nothing more: it is closed, leaves, has left, has stopped, or is gone.
    pub(in crate::agent) fn is_over(&self) -> bool {
        let status = self.status.borrow();
        status.is_over() || status.is_leaving || self.commands.is_closed()
    }
}
