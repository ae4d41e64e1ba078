//! A task as data.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{clock::Timestamp, session::SessionId, task::TurnNo, tool::IdempotencyKey};
use crate::{
    id::{TaskId, TaskNo},
    tool::ToolCall,
};

/// Task as data: all that another process needs to run the task and to return the outcome.
///
/// ```
/// use async_tool_runtime::{SessionId, ToolCall, task::TaskSpec};
/// use serde_json::json;
///
/// let call = ToolCall::new("call_1", "search", json!({"query": "rust"}));
/// let spec = TaskSpec::new(SessionId::new("user-7"), call);
/// let wire = serde_json::to_string(&spec)?; // to a worker in another process
/// let received: TaskSpec = serde_json::from_str(&wire)?;
/// assert_eq!(received, spec);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskSpec {
    /// Id of the task, and its idempotency key. Submitting an id again that the manager or backend remembers changes nothing.
    pub task: TaskId,
    /// Number of the task in the session, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<TaskNo>,
    /// The conversation that made the call; it receives the outcome.
    pub session: SessionId,
    /// The turn that made the call, if a model did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnNo>,
    /// Parent task, in one of two cases.
    ///
    /// - A task submitted this one: the result goes to that task.
    /// - The agent of this task's session works as a tool: this is the task it works for, and the result goes to the agent's session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// Key for services that act once per key; `None` means the task's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<IdempotencyKey>,
    /// The call to run.
    pub call: ToolCall,
    /// Number of the attempt; the first is 1.
    pub attempt: u32,
    /// Latest [checkpoint](crate::tool::ToolContext::save_checkpoint) of an earlier attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Arc<Value>>,
    /// Time at which the caller stops waiting. A task that gets its slot later, or runs longer, fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// Time of the call, if it may be older than its submission. A backend with a
    /// [retention](crate::backend::BackendCapabilities::retention) doesn't take an older task again, if it may have had it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Timestamp>,
    /// W3C `traceparent` of the span that the task's span is a child of, for a [propagator](crate::manager::TracePropagator). On its way to a
    /// worker, the task has that of its own span.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Arc<str>>,
    /// True if the arguments hold a result that is secret, of another task.
    #[serde(skip)]
    pub(crate) holds_secret: bool,
    /// True if the time of the task runs on from its call over a restart: it waits for the outside, and does no work again.
    #[serde(skip)]
    pub(crate) keeps_clock: bool,
    /// True if no engine can have the task, however old its call is.
    #[serde(skip)]
    pub(crate) is_unsent: bool,
}

impl TaskSpec {
    /// Creates a first attempt at `call`, with a new id and without number, turn or deadline.
    #[must_use]
    pub fn new(session: SessionId, call: ToolCall) -> Self {
        Self::named(TaskId::new(), session, call)
    }

    /// Creates a first attempt with this id.
    pub(crate) const fn named(task: TaskId, session: SessionId, call: ToolCall) -> Self {
        Self {
            task,
            number: None,
            session,
            turn: None,
            parent: None,
            idempotency_key: None,
            call,
            attempt: 1,
            checkpoint: None,
            deadline: None,
            accepted: None,
            traceparent: None,
            holds_secret: false,
            keeps_clock: false,
            is_unsent: false,
        }
    }

    /// Earliest time at which an engine can have got the task.
    pub(crate) fn sent_from(&self, now: Timestamp) -> Timestamp {
        self.accepted.filter(|_| !self.is_unsent).unwrap_or(now)
    }

    /// Time from which the manager's timeout of a task counts.
    pub(crate) fn clock_from(&self, now: Timestamp) -> Timestamp {
        self.accepted.filter(|_| self.keeps_clock).unwrap_or(now)
    }

    /// True if the result goes to the session. That of a child task goes to its parent, unless the child has a number in the session.
    pub(crate) const fn is_of_session(&self) -> bool {
        self.parent.is_none() || self.number.is_some()
    }

    /// Sets the id, so that a repeated submit is recognised.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tools};
    /// # use async_tool_runtime::task::{TaskId, TaskSpec};
    /// # use serde_json::json;
    /// # /// Adds two numbers.
    /// # #[async_tool(effect = "read")]
    /// # fn add(a: i64, b: i64) -> i64 {
    /// #     a + b
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
    /// let call = ToolCall::new("call_1", "add", json!({"a": 2, "b": 3}));
    /// let spec = TaskSpec::new(SessionId::new("s"), call).with_task(TaskId::from_u128(7));
    /// let first = manager.submit_task(spec.clone())?;
    /// let again = manager.submit_task(spec)?;
    /// assert_eq!(again.id(), first.id());
    /// assert_eq!(again.outcome().await.attempts, 1); // the tool ran once
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_task(mut self, task: TaskId) -> Self {
        self.task = task;
        self
    }

    /// Sets the number by which the model names the task.
    #[must_use]
    pub fn with_number(mut self, number: TaskNo) -> Self {
        self.number = Some(number);
        self
    }

    /// Sets the turn that made the call.
    #[must_use]
    pub fn with_turn(mut self, turn: TurnNo) -> Self {
        self.turn = Some(turn);
        self
    }

    /// Sets the number of the attempt.
    pub(crate) fn with_attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// Sets the deadline, past which the task fails with [`ToolErrorKind::Timeout`](crate::tool::ToolErrorKind::Timeout).
    ///
    /// ```
    /// use async_tool_runtime::{SessionId, ToolCall, task::{TaskSpec, Timestamp}};
    /// use serde_json::json;
    /// use std::time::Duration;
    ///
    /// # let request_arrived = Timestamp::from_millis(1_000);
    /// let call = ToolCall::new("call_1", "search", json!({"query": "rust"}));
    /// let spec = TaskSpec::new(SessionId::new("s"), call).with_deadline(request_arrived.after(Duration::from_secs(30)));
    /// assert_eq!(spec.deadline, Some(Timestamp::from_millis(31_000)));
    /// ```
    #[must_use]
    pub fn with_deadline(mut self, deadline: Timestamp) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets the time of the call, for a task that may have been submitted before.
    #[must_use]
    pub fn with_accepted(mut self, accepted: Timestamp) -> Self {
        self.accepted = Some(accepted);
        self
    }

    /// Sets the span that the task's span is a child of.
    ///
    /// ```
    /// use async_tool_runtime::{SessionId, ToolCall, task::TaskSpec};
    /// use serde_json::json;
    ///
    /// let call = ToolCall::new("call_1", "search", json!({"query": "rust"}));
    /// let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    /// let spec = TaskSpec::new(SessionId::new("s"), call).with_traceparent(traceparent);
    /// assert_eq!(spec.traceparent.as_deref(), Some(traceparent));
    /// ```
    #[must_use]
    pub fn with_traceparent(mut self, traceparent: impl Into<Arc<str>>) -> Self {
        self.traceparent = Some(traceparent.into());
        self
    }
}
