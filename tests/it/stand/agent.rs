//! An agent with its model, manager and journal; all that it writes and asks is checked.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, FunctionTool, SessionId,
    agent::{AgentEventStream, AsyncAgentBuilder, Ledger, RunError},
    journal::{Entry, MemoryJournal},
    model::ModelRequest,
    testing::ScriptedModel,
};

use super::{Books, check_answers, said, until};

pub(crate) struct Stage {
    pub(crate) agent: AsyncAgent,
    pub(crate) model: ScriptedModel,
    pub(crate) manager: AsyncToolManager,
    pub(crate) events: AgentEventStream,
    pub(crate) journal: Arc<MemoryJournal>,
}

impl Stage {
    /// Starts an agent of the session `s`, with slots for all its tasks.
    pub(crate) async fn set(
        model: ScriptedModel,
        tools: impl IntoIterator<Item = FunctionTool>,
        adjust: impl FnOnce(AsyncAgentBuilder) -> AsyncAgentBuilder,
    ) -> Self {
        let tools = tools.into_iter().map(Into::into);
        let manager = AsyncToolManager::builder()
            .tools(tools)
            .concurrency(1_000)
            .build()
            .unwrap();
        let journal = Arc::new(MemoryJournal::new());
        let agent = AsyncAgent::builder(model.clone(), manager.clone())
            .journal(Arc::clone(&journal))
            .session("s");
        let agent = adjust(agent).start().await.unwrap();
        Self {
            events: agent.events(),
            agent,
            model,
            manager,
            journal,
        }
    }

    /// Sends a message and waits until the agent is at rest.
    pub(crate) async fn talk(&self, text: &str) -> Result<(), RunError> {
        self.agent.send(text).await.unwrap();
        self.rest().await
    }

    /// Waits until the agent is at rest, and checks its journal and requests.
    pub(crate) async fn rest(&self) -> Result<(), RunError> {
        let day = Duration::from_secs(24 * 3600);
        let rest = tokio::time::timeout(day, self.agent.run_until_idle()).await;
        let rest = rest.expect("the agent comes to rest");
        self.check();
        rest
    }

    pub(crate) async fn until(&mut self, is_it: impl Fn(&AgentEventKind) -> bool) {
        until(&mut self.events, is_it).await;
    }

    /// Waits for the end of the turn that said this.
    pub(crate) async fn said(&mut self, what: &str) {
        said(&mut self.events, what).await;
    }

    /// Number of requests to the model.
    pub(crate) fn asked(&self) -> usize {
        self.model.requests().len()
    }

    /// The n-th request, the first being 1.
    pub(crate) fn request(&self, place: usize) -> ModelRequest {
        self.model.requests().swap_remove(place - 1)
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.journal.entries(&SessionId::new("s"))
    }

    /// Checks the journal against the promises, and every request against the rules of calls and answers.
    pub(crate) fn check(&self) {
        let entries = self.entries();
        Ledger::fold(&entries).expect("the journal is sound");
        let _sound = Books::of(&entries);
        for request in self.model.requests() {
            check_answers(&request.messages);
        }
    }
}
