//! Tasks that survive the process: each is a session of a journal.
//!
//! An agent keeps the session. Its model is a fixed rule with one call, and its journal has all that a restart needs: the call, its question, its
//! end. So a task is resumed by the rules for agents, by the effect of its tool.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Journal, Model, SessionId, ToolCall, ToolError, ToolErrorKind,
    agent::{AgentError, AgentEventKind, AsyncAgentBuilder},
    model::{ModelEvent, ModelRequest, ModelStream, StopReason, TurnEnd},
};
use futures_core::Stream;
use tokio::time::timeout;
use uuid::Uuid;

use super::{
    clock::millis,
    kept::{IS_TASK, Label},
    record::Record,
    recovery::keep,
    tasks::Tasks,
};

/// Beginning of the sessions of a server, among the others of its journal.
const PREFIX: &str = "mcp-";

/// Longest time from the end of the turn with the call to the task.
const SUBMITTED_WITHIN: Duration = Duration::from_secs(5);

/// Journal of the tasks.
#[derive(Clone)]
pub(super) struct Store(Arc<dyn Journal>);

impl Store {
    pub(super) fn new(journal: Arc<dyn Journal>) -> Self {
        Self(journal)
    }

    pub(super) fn journal(&self) -> &dyn Journal {
        &*self.0
    }

    /// Name of a session that this crate makes.
    pub(super) fn name(id: Uuid) -> SessionId {
        SessionId::new(format!("{PREFIX}{id}"))
    }

    /// True if this crate may have made the session.
    pub(super) fn is_name(session: &SessionId) -> bool {
        let id = session.as_str().strip_prefix(PREFIX);
        id.is_some_and(|id| Uuid::try_parse(id).is_ok())
    }

    /// Builder of the agent that keeps a session. `call` is that of a new task.
    pub(super) fn builder(
        &self,
        manager: &AsyncToolManager,
        session: &SessionId,
        call: Option<ToolCall>,
    ) -> AsyncAgentBuilder {
        AsyncAgent::builder(OneCall(Mutex::new(call)), manager.clone())
            .task_tool(false)
            .grace(Duration::ZERO)
            .session(session.clone())
            .journal(Arc::clone(&self.0))
    }

    pub(super) const fn shared(&self) -> &Arc<dyn Journal> {
        &self.0
    }

    /// Starts the task of a record. It is in the journal when this returns.
    pub(super) async fn start(&self, tasks: &Arc<Tasks>, record: &Arc<Record>) -> Result<(), ToolError> {
        let failed = |problem: &dyn std::fmt::Display| {
            ToolError::new(ToolErrorKind::Internal, format!("the task can't be kept: {problem}"))
        };
        let builder = self.builder(tasks.manager(), &record.id, Some(record.call.clone()));
        let agent = builder.start().await.map_err(|error| failed(&error))?;
        let mut events = agent.events();
        let label = Label {
            owner: record.owner.clone(),
            kept_ms: millis(record.retention),
            takes_forms: record.takes_forms,
            asks_first: record.asks_first(),
        };
        let label = serde_json::to_string(&label).map_err(|error| failed(&error))?;
        agent.send(label).await.map_err(|error| failed(&error))?;
        loop {
            let Some(event) = events.next().await else {
                return Err(failed(&"its session has stopped"));
            };
            match event.kind {
                AgentEventKind::TurnEnded { .. } => break,
                AgentEventKind::CallRefused { .. } => {
                    let _closed = agent.close().await;
                    let busy = ToolError::new(ToolErrorKind::Overloaded, "the server takes no further call now");
                    return Err(busy);
                }
                AgentEventKind::JournalFailed { .. } | AgentEventKind::Stopped { .. } => {
                    return Err(failed(&"its session has stopped"));
                }
                _ => {}
            }
        }
        // So that a cancellation finds the task.
        let mut changes = record.changes();
        while record.handle().is_none()
            && timeout(SUBMITTED_WITHIN, changes.changed())
                .await
                .is_ok_and(|changed| changed.is_ok())
        {}
        record.set_agent(agent.downgrade());
        tokio::spawn(keep(Arc::downgrade(tasks), Arc::clone(record), agent));
        Ok(())
    }

    /// Notes in the journal that a call that asked first is a task now.
    pub(super) async fn mark(record: &Record) -> Result<(), AgentError> {
        let Some(agent) = record.agent() else { return Ok(()) };
        match agent.send(IS_TASK).await {
            // Its end is in the journal, which says as much.
            Err(_) if record.end().is_some() => Ok(()),
            sent => sent,
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store(..)")
    }
}

/// A model that makes one call, and has nothing to say.
struct OneCall(Mutex<Option<ToolCall>>);

impl Model for OneCall {
    fn generate(&self, _request: ModelRequest) -> ModelStream {
        let call = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (said, stop) = match call {
            Some(call) => (ModelEvent::ToolCall(call), StopReason::ToolCalls),
            // An empty turn would be asked for again.
            None => (ModelEvent::Text("noted".to_owned()), StopReason::EndTurn),
        };
        ModelStream::from_events([said, ModelEvent::Done(TurnEnd::new(stop))])
    }
}

pub(super) async fn next<T>(stream: &mut (impl Stream<Item = T> + Unpin)) -> Option<T> {
    let mut stream = pin!(stream);
    std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await
}
