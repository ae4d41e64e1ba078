//! The host's stop button.

use crate::{
    agent::{AgentError, AsyncAgent, Interruption, MessagePolicy, command::Command},
    content::Content,
    task::TurnNo,
};

impl AsyncAgent {
    /// Ends the running turn of the model: the stop button of a conversation. Returns the turn; `None` if no turn runs, and then nothing
    /// happens.
    ///
    /// - All that the model had said and the calls that it had completed are kept. The calls run and are answered like those of any turn. A
    ///   call that the model had not completed is left out.
    /// - Tasks are left alone. [`interrupt_and_cancel`](Self::interrupt_and_cancel) stops them too.
    /// - From then on the agent doesn't call the model by itself, also after a restart. A new message or a new result ends this rest, unless
    ///   the result has [`DeliveryPolicy::Silent`](crate::tool::DeliveryPolicy::Silent). Results that had come before go with it. The model
    ///   is told that it was stopped.
    /// - A message that was sent while the turn ran is answered at once: the next turn begins.
    ///
    /// A turn runs, in this sense, from the call of the model until its calls are answered. A failed turn that is about to be repeated
    /// counts too: it is not repeated.
    ///
    /// ```
    /// use async_tool_runtime::{model, AsyncAgent, AsyncToolManager};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let model = model::from_fn(async |_request| std::future::pending().await); // Thinks for ever.
    /// let agent = AsyncAgent::builder(model, AsyncToolManager::builder().build()?).start().await?;
    /// assert_eq!(agent.interrupt().await?, None);
    ///
    /// agent.send("what is the answer?").await?;
    /// let turn = agent.interrupt().await?;
    /// assert_eq!(turn.map(|turn| turn.as_u32()), Some(1));
    /// agent.run_until_idle().await?; // At once.
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AgentError::Closed`] if the session is over or closing, [`AgentError::Stopped`] if it has stopped.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the turn may or may not have been ended.
    pub async fn interrupt(&self) -> Result<Option<TurnNo>, AgentError> {
        let interruption = self.ask(|reply| Command::Interrupt(false, reply)).await??;
        Ok(interruption.turn)
    }

    /// Ends the running turn like [`interrupt`](Self::interrupt), and stops the tasks that the answer has started.
    ///
    /// These are the tasks of all turns since the last user message that a turn was given, also if no turn runs any more. Tasks
    /// of earlier messages go on; [`cancel`](Self::cancel) stops them. A call that had not begun doesn't begin.
    ///
    /// The results of the stopped tasks don't wake the model. It gets them with the next message or result.
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, tools, AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner};
    ///
    /// /// Watches a folder.
    /// #[async_tool(background = "always")]
    /// async fn watch() {
    ///     std::future::pending().await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![watch]).build()?;
    /// let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
    /// let mut events = agent.events();
    /// agent.send("watch").await?;
    /// while let Some(event) = events.next().await {
    ///     if let AgentEventKind::Started { .. } = event.kind {
    ///         break;
    ///     }
    /// }
    /// let stopped = agent.interrupt_and_cancel().await?;
    /// assert_eq!(stopped.cancelled.len(), 1);
    /// agent.run_until_idle().await?;
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`interrupt`](Self::interrupt).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the turn and its tasks may or may not have been told to stop.
    pub async fn interrupt_and_cancel(&self) -> Result<Interruption, AgentError> {
        self.ask(|reply| Command::Interrupt(true, reply)).await?
    }

    /// Sends a user message like [`send`](Self::send), with a policy of its own in place of
    /// [`on_message`](crate::agent::AsyncAgentBuilder::on_message). With [`MessagePolicy::Interrupt`], the running turn ends and the next one
    /// answers the message.
    ///
    /// ```
    /// use async_tool_runtime::{agent::MessagePolicy, AsyncAgent, AsyncToolManager, RulePlanner};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).start().await?;
    /// agent.send("help").await?;
    /// agent.send_as("no, rather: status", MessagePolicy::Interrupt).await?;
    /// agent.run_until_idle().await?;
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// As for [`send`](Self::send).
    pub async fn send_as(&self, message: impl Into<Content>, policy: MessagePolicy) -> Result<(), AgentError> {
        let command = |said, reply| Command::SendAs(said, policy, reply);
        self.say(message.into(), command).await
    }
}
