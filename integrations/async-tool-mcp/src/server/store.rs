//! Tasks that survive the process: each is a session of a journal.
//!
//! An agent keeps the session. Its model is a fixed rule with one call, and its journal has all that a restart needs: the call, its question, its
//! end. So a task is resumed by the rules for agents, by the effect of its tool.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, AsyncTaskResult, AsyncToolManager, Journal, Model, SessionId, ToolCall, ToolError, ToolErrorKind,
    agent::{AgentEventKind, AsyncAgentBuilder, Recovery},
    journal::{Entry, ReadError, Seq, SessionFilter},
    model::{ModelEvent, ModelRequest, ModelStream, StopReason, TurnEnd},
};
use futures_core::Stream;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::{
    clock::millis,
    outcome::{End, INTERRUPTED},
    principal::Principal,
    record::{CANCELLED, Record},
    tasks::Tasks,
};

/// Beginning of the sessions of a server, among the others of its journal.
const PREFIX: &str = "mcp-";

/// Longest time from the end of the turn with the call to the task.
const SUBMITTED_WITHIN: Duration = Duration::from_secs(5);

/// Journal of the tasks.
#[derive(Clone)]
pub(super) struct Store(Arc<dyn Journal>);

/// First message of a session: what the journal doesn't have of a task otherwise.
#[derive(Debug, Serialize, Deserialize)]
struct Label {
    /// Hash of the principal.
    owner: Principal,
    kept_ms: u64,
    takes_forms: bool,
}

/// A session as its entries tell it.
struct Kept {
    label: Label,
    call: ToolCall,
    accepted: u64,
    result: Option<Arc<AsyncTaskResult>>,
}

impl Store {
    pub(super) fn new(journal: Arc<dyn Journal>) -> Self {
        Self(journal)
    }

    /// Name of a session that this crate makes.
    pub(super) fn name(id: impl std::fmt::Display) -> SessionId {
        SessionId::new(format!("{PREFIX}{id}"))
    }

    /// Starts the task of a record. It is in the journal when this returns.
    pub(super) async fn start(&self, tasks: &Arc<Tasks>, record: &Arc<Record>) -> Result<(), ToolError> {
        let failed = |problem: &dyn std::fmt::Display| {
            ToolError::new(ToolErrorKind::Internal, format!("the task can't be kept: {problem}"))
        };
        let agent = Self::builder(tasks.manager(), Some(record.call.clone()))
            .session(record.id.clone())
            .journal(Arc::clone(&self.0))
            .start()
            .await
            .map_err(|error| failed(&error))?;
        let mut events = agent.events();
        let label = Label {
            owner: record.owner.clone(),
            kept_ms: millis(record.retention),
            takes_forms: record.takes_forms,
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
        tokio::spawn(keep(Arc::downgrade(tasks), Arc::clone(record), agent));
        Ok(())
    }

    /// Takes up the tasks of an earlier process.
    pub(super) async fn recover(&self, tasks: &Arc<Tasks>) -> Result<(), ReadError> {
        let mut open = Vec::new();
        let mut sessions = self.0.sessions(SessionFilter::Open);
        while let Some(session) = next(&mut sessions).await {
            let session = session?;
            if let Some(kept) = self.read(&session).await {
                // Known before its first event.
                let record = kept.record(&session, tasks);
                tasks.insert(&record);
                open.push(record);
            }
        }
        let is_ours = |session: &SessionId| open.iter().any(|record| record.id == *session);
        let builder = |session: &SessionId| is_ours(session).then(|| Self::builder(tasks.manager(), None));
        let Recovery { agents, failed, .. } = tasks.manager().recover(&self.0, builder).await?;
        for failure in failed {
            if let Some(record) = open.iter().find(|record| record.id == failure.session) {
                tracing::warn!(target: "async_tool::mcp", error = %failure.error, "a task can't be resumed");
                tasks.end(record, End::Broken(format!("{INTERRUPTED}: {}", failure.error)));
            }
        }
        for agent in agents {
            let record = open.iter().find(|record| record.id == *agent.session());
            if let Some(record) = record {
                tokio::spawn(keep(Arc::downgrade(tasks), Arc::clone(record), agent));
            }
        }
        Ok(())
    }

    /// Reads a task that is not in this process.
    pub(super) async fn find(&self, id: &SessionId, tasks: &Arc<Tasks>) -> Option<Arc<Record>> {
        let kept = self.read(id).await?;
        let record = kept.record(id, tasks);
        let result = kept.result?;
        record.settle_at(end_of(&result, tasks.manager()), result.timing.settled.as_millis());
        Some(record)
    }

    async fn read(&self, session: &SessionId) -> Option<Kept> {
        if !session.as_str().starts_with(PREFIX) {
            return None;
        }
        let (mut label, mut called, mut result) = (None, None, None);
        let mut entries = self.0.read(session, Seq::START);
        while let Some(entry) = next(&mut entries).await {
            match entry {
                Ok((_, Entry::UserMessage { text, .. })) if label.is_none() => {
                    label = Some(serde_json::from_str(&text).ok()?)
                }
                Ok((_, Entry::Accepted { call, at, .. })) if called.is_none() => called = Some((call, at.as_millis())),
                Ok((_, Entry::Settled { result: settled })) if result.is_none() => result = Some(settled),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(target: "async_tool::mcp", %error, "a task can't be read");
                    return None;
                }
            }
        }
        // Without a call, no client has its id.
        let (call, accepted) = called?;
        Some(Kept {
            label: label?,
            call,
            accepted,
            result,
        })
    }

    fn builder(manager: &AsyncToolManager, call: Option<ToolCall>) -> AsyncAgentBuilder {
        AsyncAgent::builder(OneCall(Mutex::new(call)), manager.clone())
            .task_tool(false)
            .grace(Duration::ZERO)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store(..)")
    }
}

impl Kept {
    fn record(&self, id: &SessionId, tasks: &Tasks) -> Arc<Record> {
        let Label {
            owner,
            kept_ms,
            takes_forms,
        } = &self.label;
        let retention = Duration::from_millis(*kept_ms);
        let record = Record::new(
            id.clone(),
            owner.clone(),
            self.call.clone(),
            *takes_forms,
            retention,
            tasks.clock(),
        );
        let record = record.kept(self.accepted);
        record.make_task();
        Arc::new(record)
    }
}

/// Holds the agent of a task until the end of the task is in the journal.
async fn keep(tasks: Weak<Tasks>, record: Arc<Record>, agent: AsyncAgent) {
    let ran = agent.run_until_idle().await;
    let end = agent
        .tasks()
        .await
        .ok()
        .and_then(|all| all.first().map(|task| task.task));
    if let Some(tasks) = tasks.upgrade() {
        let result = end.and_then(|task| tasks.manager().task(task)?.result());
        let end = match (ran, result) {
            (Ok(()), Some(result)) => end_of(&result, tasks.manager()),
            (Ok(()), None) => match tasks.read_end(&record).await {
                Some(result) => end_of(&result, tasks.manager()),
                None => End::Broken(INTERRUPTED.to_owned()),
            },
            (Err(error), _) => End::Broken(format!("the end of the task could not be kept: {error}")),
        };
        tasks.end(&record, end);
    }
    if let Err(error) = agent.close().await {
        tracing::warn!(target: "async_tool::mcp", %error, "the session of a task can't be closed");
    }
}

impl Tasks {
    /// End of a task in the journal.
    async fn read_end(&self, record: &Record) -> Option<Arc<AsyncTaskResult>> {
        self.store()?.read(&record.id).await?.result
    }
}

fn end_of(result: &AsyncTaskResult, manager: &AsyncToolManager) -> End {
    let by_client =
        matches!(&result.outcome, async_tool_runtime::TaskOutcome::Cancelled(reason) if reason == CANCELLED);
    End::of(result, manager.registry(), by_client)
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

async fn next<T>(stream: &mut (impl Stream<Item = T> + Unpin)) -> Option<T> {
    let mut stream = pin!(stream);
    std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await
}
