//! Waits of the host for its agent.

use crate::{
    agent::{
        AgentError, AgentState, AsyncAgent, Parked, RunError, RunSummary, command::Command, machine::Stall,
        status::AgentStatus,
    },
    content::Content,
    manager::WaitInside,
};

impl AsyncAgent {
    /// Waits until the agent is idle and stays so without a new input: no turn runs, no task runs, and no result will
    /// wake the model. Results with [`DeliveryPolicy::Silent`](crate::tool::DeliveryPolicy::Silent) may be left; the
    /// next message delivers them.
    ///
    /// ```
    /// # use async_tool_runtime::{async_tool, tools, AsyncAgent, AsyncToolManager, RulePlanner};
    /// # /// Adds two numbers.
    /// # #[async_tool(effect = "read")]
    /// # fn add(a: i64, b: i64) -> i64 { a + b }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
    /// agent.send("add 2 3").await?;
    /// agent.send("add 4 5").await?;
    /// agent.run_until_idle().await?;
    /// assert!(agent.tasks().await?.iter().all(|task| task.status.is_terminal()));
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RunError::Model`] if the model failed and its retries are used up, [`RunError::Limit`] if the run reached one
    /// of its limits. [`RunError::Stopped`] if the session has stopped. Nothing is lost in any of these cases. After a
    /// failure of the model, the next message or result starts another turn. [`RunError::Circle`], at once, inside of the
    /// function of a task that the agent waits for; the agent goes on.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn run_until_idle(&self) -> Result<(), RunError> {
        if self.status.borrow().is_at_rest() {
            return self.rest().await;
        }
        let wait = self.begin_wait()?;
        let rest = self.rest().await;
        end(wait).await;
        rest
    }

    /// Begins a wait of the function in which this is called; `None` outside of a tool's function.
    fn begin_wait(&self) -> Result<Option<WaitInside>, RunError> {
        self.manager.wait_inside(&self.session).map_err(RunError::Circle)
    }

    async fn rest(&self) -> Result<(), RunError> {
        let mut status = self.status.clone();
        let rest = status
            .wait_for(AgentStatus::is_at_rest)
            .await
            .map_err(|_| RunError::Stopped("the agent is gone".to_owned()))?;
        match (&rest.stopped, &rest.stalled) {
            (Some(reason), _) => Err(RunError::Stopped(reason.clone())),
            (None, Some(Stall::Model(error))) => Err(RunError::Model(error.clone())),
            (None, Some(Stall::Limit(limit))) => Err(RunError::Limit(*limit)),
            (None, None) => Ok(()),
        }
    }

    /// Waits until nothing more happens without the outside: no turn runs, no result will wake the model, and all open
    /// tasks wait for [completion from outside](crate::tool::ToolContext::defer), or for people. Returns the waits; none
    /// if the agent is idle. [`run_until_idle`](Self::run_until_idle) waits for these tasks too.
    ///
    /// All of the waits are in the journal, so this is the moment to [leave](Self::leave) the session, to end the
    /// process, and to resume the session when an answer or a result comes. With a wait that has a
    /// [deadline](crate::agent::ParkedTask::until), resume it by then too.
    ///
    /// - A task that waits for results of parked tasks is parked with them.
    /// - So is a task that waits for [child tasks](crate::tool::ToolContext::call_tool) or a sub-agent, if all that is
    ///   left of these is parked. The waits are then those of the tasks below it. The function of such a task is lost
    ///   with its process, and the [effect](crate::tool::Effect) of its tool decides about it when the session is resumed.
    /// - A result that a [group](Self::group) holds back until a time limit wakes the model then, so the agent isn't parked.
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, tools, AsyncAgent, AsyncToolManager, RulePlanner, ToolContext};
    ///
    /// /// Orders a parcel.
    /// #[async_tool(grace = "0s")]
    /// async fn order(item: String, #[inject] cx: ToolContext) -> String {
    ///     println!("order {item}; the shop calls back with {}", cx.task());
    ///     cx.defer().await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![order]).build()?;
    /// let agent = AsyncAgent::builder(RulePlanner::new(), manager.clone()).start().await?;
    /// agent.send("order item=tea").await?;
    /// let parked = agent.run_until_parked().await?;
    /// assert_eq!(parked.waits.len(), 1);
    ///
    /// // In the handler of the shop's callback:
    /// manager.resolve_durably(parked.waits[0].task, "parcel 17").await?;
    /// assert!(agent.run_until_parked().await?.is_idle());
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`run_until_idle`](Self::run_until_idle).
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn run_until_parked(&self) -> Result<Parked, RunError> {
        let wait = self.begin_wait()?;
        let parked = self.ask(Command::Parked).await;
        end(wait).await;
        let status = self.status.borrow();
        match (parked, &status.stopped, &status.stalled) {
            (_, Some(reason), _) => Err(RunError::Stopped(reason.clone())),
            (Err(_), None, _) if status.state != AgentState::Closed => {
                Err(RunError::Stopped("the agent is gone".to_owned()))
            }
            (_, None, Some(Stall::Model(error))) => Err(RunError::Model(error.clone())),
            (_, None, Some(Stall::Limit(limit))) => Err(RunError::Limit(*limit)),
            (parked, None, None) => Ok(parked.unwrap_or_default()),
        }
    }

    /// Sends a user message, waits until all its work is done, and returns the model's last text. For batches, without
    /// a reader in between.
    ///
    /// It makes the fewest model calls: the agent calls the model again only when all its tasks have ended. The model
    /// then finds most results in place of their acknowledgements, as if the agent had waited for the tools. Only a
    /// result with [`DeliveryPolicy::Interrupt`](crate::tool::DeliveryPolicy::Interrupt) comes sooner. The next
    /// [`send`](Self::send) ends the batch.
    ///
    /// ```
    /// # use async_tool_runtime::{async_tool, tools, AsyncAgent, AsyncToolManager, RulePlanner};
    /// # /// Adds two numbers.
    /// # #[async_tool(effect = "read")]
    /// # fn add(a: i64, b: i64) -> i64 { a + b }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
    /// let summary = agent.run_to_completion("add 2 3 and then add 4 5").await?;
    /// assert_eq!(summary.text, "t1 add is done: 5\nt2 add is done: 9");
    /// assert_eq!(summary.totals.turns, 2);
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send) and [`run_until_idle`](Self::run_until_idle). Nothing is lost in either case.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the message may or may not have been taken; the agent goes on.
    pub async fn run_to_completion(&self, message: impl Into<Content>) -> Result<RunSummary, RunError> {
        let gone = |error: AgentError| match error {
            AgentError::Content(error) => RunError::Content(error),
            AgentError::Stopped(reason) => RunError::Stopped(reason),
            error => RunError::Stopped(error.to_string()),
        };
        let wait = self.begin_wait()?;
        self.say(message.into(), Command::Batch).await.map_err(gone)?;
        let rest = self.rest().await;
        end(wait).await;
        rest?;
        self.summary().await.map_err(gone)
    }

    /// Summary of the work for the last user message.
    pub(in crate::agent) async fn summary(&self) -> Result<RunSummary, AgentError> {
        self.ask(Command::Summary).await
    }
}

async fn end(wait: Option<WaitInside>) {
    if let Some(wait) = wait {
        wait.end().await;
    }
}
