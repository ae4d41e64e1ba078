//! Views of an agent for displays.

use std::sync::Arc;

use crate::{agent::AsyncAgent, journal::Journal, tool::ToolDefinition};

/// Views of an agent for displays. None of them asks the agent's own task, so they answer at once.
impl AsyncAgent {
    /// Journal of the session; `None` once the agent is gone.
    ///
    /// Its entries are as they were written, so [secrets](crate::agent::Redact) are replaced in them. The agent's events and its transcript have
    /// the true values. A display for other people than the user reads the journal.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).start().await?;
    /// assert!(!agent.journal().expect("the agent runs").is_durable()); // in memory, because the builder was given none
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn journal(&self) -> Option<Arc<dyn Journal>> {
        self.setup.as_ref()?.journal.upgrade()
    }

    /// True if the agent replaces secrets before it writes its journal: a tool has
    /// [sensitive](crate::tool::FunctionTool::sensitive_arguments) arguments or results, or the builder was given a
    /// [hook](crate::agent::AsyncAgentBuilder::redact). The agent's live events may then have secrets that its journal doesn't have.
    ///
    /// ```
    /// use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, async_tool, tools};
    ///
    /// /// Signs in.
    /// #[async_tool(sensitive = "result")]
    /// fn sign_in() -> String {
    ///     "a secret".to_owned()
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![sign_in]).build()?;
    /// let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
    /// assert!(agent.redacts());
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn redacts(&self) -> bool {
        self.setup.as_ref().is_some_and(|setup| setup.redacts)
    }

    /// System prompt of the agent's requests, with the library's notices; `None` if it has none.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().build()?;
    /// let agent = AsyncAgent::builder(RulePlanner::new(), manager).system("Answer in one sentence.").start().await?;
    /// assert_eq!(agent.system(), Some("Answer in one sentence."));
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn system(&self) -> Option<&str> {
        self.setup.as_ref()?.system.as_deref()
    }

    /// Tools of the agent's requests, as the model sees them.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).start().await?;
    /// assert!(agent.tools().is_empty());
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn tools(&self) -> &[ToolDefinition] {
        self.setup.as_ref().map_or(&[], |setup| &setup.tools)
    }

    /// Reason for which the session has stopped, such as a failure of its journal; `None` for one that goes on or is closed.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).start().await?;
    /// assert_eq!(agent.stopped(), None);
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn stopped(&self) -> Option<String> {
        self.status.borrow().stopped.clone()
    }
}
