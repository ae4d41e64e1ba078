//! Answers, approvals and results from outside.

use std::{fmt, sync::Arc};

use serde::Serialize;
use serde_json::Value;

use super::{AsyncToolManager, TaskCell, records::Recorded, run, stop};
use crate::{
    id::TaskId,
    task::TaskStatus,
    tool::{Constraints, InputRequest, ToolError, ToolErrorKind, to_json},
};

impl AsyncToolManager {
    /// Completes a task from outside, usually one whose function has [deferred](crate::tool::ToolContext::defer) it or
    /// will. The value must fit the tool's output schema, if the tool has one. A task that waits for a slot is
    /// completed without running. A running task is completed, and its function is dropped; if the function blocks its thread, the task
    /// ends after the stop timeout. A task whose process ended
    /// before its deferral was written can be completed if its tool is [`external`](crate::tool::FunctionTool::external).
    ///
    /// ```
    /// use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, ToolContext, async_tool, tools};
    /// use serde_json::json;
    ///
    /// /// Orders a parcel.
    /// #[async_tool]
    /// async fn order(item: String, #[inject] cx: ToolContext) -> String {
    ///     println!("order {item}; the shop calls back with {}", cx.task());
    ///     cx.defer().await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![order]).build()?;
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "order", json!({"item": "tea"})))?;
    /// // In the handler of the shop's callback:
    /// manager.resolve(task.id(), "parcel 17")?;
    /// assert_eq!(task.outcome().await.outcome.value(), Some(&json!("parcel 17")));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ResolveError`]: the task isn't known, has ended, or the value doesn't fit. Nothing has changed then.
    pub fn resolve(&self, task: TaskId, output: impl Serialize) -> Result<(), ResolveError> {
        let cell = self.open_cell(task)?;
        let output = to_json(&output).map_err(|error| ResolveError::Invalid(error.to_string()))?;
        let definition = self.registry().find(&cell.spec.call.name).map(|tool| tool.definition());
        if let Some(schema) = definition.and_then(|definition| definition.output_schema.as_deref()) {
            check(schema, &output).map_err(ResolveError::Invalid)?;
        }
        self.end_from_outside(&cell, Ok(output))
    }

    /// Fails a task from outside; otherwise like [`resolve`](Self::resolve).
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, ToolContext, ToolError, async_tool, tools};
    /// # use serde_json::json;
    /// #
    /// # /// Orders a parcel.
    /// # #[async_tool]
    /// # async fn order(#[inject] cx: ToolContext) -> String {
    /// #     cx.defer().await
    /// # }
    /// #
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![order]).build()?;
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "order", json!({})))?;
    /// manager.resolve_error(task.id(), ToolError::failed("the shop has no tea"))?;
    /// let result = task.outcome().await;
    /// assert_eq!(result.outcome.error().map(|error| error.message()), Some("the shop has no tea"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ResolveError`]: the task isn't known, or has ended.
    pub fn resolve_error(&self, task: TaskId, error: ToolError) -> Result<(), ResolveError> {
        let cell = self.open_cell(task)?;
        self.end_from_outside(&cell, Err(error))
    }

    /// Answers the question of a task in [`TaskStatus::InputRequired`](crate::task::TaskStatus::InputRequired). The
    /// answer must fit the schema of the question.
    ///
    /// ```
    /// use async_tool_runtime::{AsyncToolManager, SessionId, TaskEvent, ToolCall, ToolContext, ToolError, async_tool, tools};
    /// use serde_json::json;
    ///
    /// /// Books a table.
    /// #[async_tool]
    /// async fn book(#[inject] cx: ToolContext) -> Result<String, ToolError> {
    ///     let room: String = cx.request("Which room?").await?;
    ///     Ok(format!("a table in {room}"))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![book]).build()?;
    /// let mut events = manager.events();
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "book", json!({})))?;
    /// while let Some(event) = events.next().await {
    ///     if let TaskEvent::InputRequired(snapshot) = event {
    ///         manager.answer(snapshot.task, "the garden")?;
    ///         break;
    ///     }
    /// }
    /// assert_eq!(task.outcome().await.outcome.value(), Some(&json!("a table in the garden")));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ResolveError`]: the task isn't known, has ended, asks for no input, or the answer doesn't fit. Also if the
    /// function that asked is gone with its process. The question stays open then.
    pub fn answer(&self, task: TaskId, answer: impl Serialize) -> Result<(), ResolveError> {
        let answer = to_json(&answer).map_err(|error| ResolveError::Invalid(error.to_string()))?;
        self.reply(task, |request| match request {
            InputRequest::Input { schema, .. } => match check(schema, &answer) {
                Ok(()) => Ok(Ok(answer)),
                Err(problem) => Err(ResolveError::Invalid(problem)),
            },
            InputRequest::Approval { .. } => Err(ResolveError::NotAsked),
        })
    }

    /// Approves a call that waits for approval, so that it runs.
    ///
    /// ```
    /// use async_tool_runtime::{AsyncToolManager, SessionId, TaskEvent, ToolCall, async_tool, tools};
    /// use serde_json::json;
    ///
    /// /// Deletes a file.
    /// #[async_tool(approval = "always")]
    /// async fn delete(path: String) -> String {
    ///     format!("deleted {path}")
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![delete]).build()?;
    /// let mut events = manager.events();
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "delete", json!({"path": "a.txt"})))?;
    /// while let Some(event) = events.next().await {
    ///     if let TaskEvent::InputRequired(snapshot) = event {
    ///         manager.approve(snapshot.task)?;
    ///         break;
    ///     }
    /// }
    /// assert_eq!(task.outcome().await.outcome.value(), Some(&json!("deleted a.txt")));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ResolveError`]: the task isn't known, has ended, or doesn't ask for approval.
    pub fn approve(&self, task: TaskId) -> Result<(), ResolveError> {
        self.reply(task, |request| match request {
            InputRequest::Approval { .. } => Ok(Ok(Value::Null)),
            InputRequest::Input { .. } => Err(ResolveError::NotAsked),
        })
    }

    /// Refuses an approval or an answer. A call that needs approval fails with [`ToolErrorKind::Refused`] and this
    /// reason, which the model reads. A tool that asked for input gets the same error.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, TaskEvent, ToolCall, ToolErrorKind, async_tool, tools};
    /// # use serde_json::json;
    /// #
    /// # /// Deletes a file.
    /// # #[async_tool(approval = "always")]
    /// # async fn delete(path: String) {
    /// #     let _ = path;
    /// # }
    /// #
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![delete]).build()?;
    /// # let mut events = manager.events();
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "delete", json!({"path": "a.txt"})))?;
    /// while let Some(event) = events.next().await {
    ///     if let TaskEvent::InputRequired(snapshot) = event {
    ///         manager.refuse(snapshot.task, "the file is in use")?;
    ///         break;
    ///     }
    /// }
    /// let result = task.outcome().await;
    /// assert_eq!(result.outcome.error().map(|error| error.kind()), Some(ToolErrorKind::Refused));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ResolveError`]: the task isn't known, has ended, or asks nothing.
    pub fn refuse(&self, task: TaskId, reason: impl Into<String>) -> Result<(), ResolveError> {
        let reason = reason.into();
        self.reply(task, |request| {
            let what = match request {
                InputRequest::Approval { .. } => "the call was refused",
                InputRequest::Input { .. } => "the question was not answered",
            };
            Ok(Err(ToolError::new(ToolErrorKind::Refused, format!("{what}: {reason}"))))
        })
    }

    fn reply(
        &self,
        task: TaskId,
        check: impl FnOnce(&InputRequest) -> Result<Result<Value, ToolError>, ResolveError>,
    ) -> Result<(), ResolveError> {
        let cell = self.open_cell(task)?;
        let asking = cell.working();
        let check = |request: &InputRequest| match check(request) {
            Ok(Ok(_)) if asking.is_deferred() => Err(ResolveError::Gone),
            checked => checked,
        };
        asking.answer(check).unwrap_or(Err(ResolveError::NotAsked))
    }

    fn end_from_outside(&self, cell: &Arc<TaskCell>, end: Result<Value, ToolError>) -> Result<(), ResolveError> {
        let runs = cell.working();
        // A result from outside already ended this call's shared run. That result counts, because its caller was told
        // so.
        if cell
            .shared_run()
            .is_some_and(|shared_run| !Arc::ptr_eq(&shared_run, &runs) && shared_run.resolved().is_some())
        {
            return Err(ResolveError::AlreadySettled(cell.status()));
        }
        let has_begun = runs.started().is_some();
        // Calls wait for a shared run that has not begun: only this call ends.
        let is_first = if has_begun {
            runs.resolve(end)
        } else {
            cell.resolve(end)
        };
        if !is_first {
            return Err(ResolveError::AlreadySettled(cell.status()));
        }
        if !has_begun {
            run::end_early(&self.inner, cell);
            return Ok(());
        }
        // The function may still run, even if it has deferred its task. It is dropped, like a function that is told to
        // stop.
        runs.defer(None);
        stop::stop_resolved(&self.inner, &runs);
        Ok(())
    }

    fn open_cell(&self, task: TaskId) -> Result<Arc<TaskCell>, ResolveError> {
        let cell = self.inner.tasks().find(task);
        let status = cell.as_ref().map(|cell| cell.status());
        let recorded = self.inner.records().of(task);
        // The session's record counts before the manager's: only its end of the task is told to the model.
        match (recorded, status) {
            (Some(Recorded::Settled(status) | Recorded::Ended(status, _)), _) => {
                Err(ResolveError::AlreadySettled(status))
            }
            (Some(Recorded::Left), _) => Err(ResolveError::NotWritten),
            (Some(Recorded::Between(_)), _) => Err(ResolveError::Resuming),
            (_, Some(status)) if status.is_terminal() => Err(ResolveError::AlreadySettled(status)),
            (Some(Recorded::Open) | None, None) if self.inner.is_resuming() => Err(ResolveError::Resuming),
            (Some(Recorded::Open), None) => Err(ResolveError::NotAsked),
            _ => cell.ok_or(ResolveError::UnknownTask),
        }
    }
}

/// Error of an answer or a result from outside that did not reach its task.
///
/// ```
/// use async_tool_runtime::{AsyncToolManager, SessionId, TaskId, TaskStatus, ToolCall, async_tool, tools};
/// use async_tool_runtime::manager::ResolveError;
/// use serde_json::json;
///
/// /// Adds two numbers.
/// #[async_tool(effect = "read")]
/// fn add(a: i64, b: i64) -> i64 {
///     a + b
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// let call = ToolCall::new("call_1", "add", json!({"a": 2, "b": 3}));
/// let task = manager.submit(&SessionId::new("example"), call)?;
/// match manager.resolve(task.id(), "five") {
///     Err(ResolveError::Invalid(problem)) => println!("{problem}"), // The output schema says `integer`.
///     other => panic!("{other:?}"),
/// }
/// task.outcome().await;
/// assert_eq!(manager.resolve(task.id(), 5), Err(ResolveError::AlreadySettled(TaskStatus::Completed)));
/// assert_eq!(manager.approve(TaskId::new()), Err(ResolveError::UnknownTask));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResolveError {
    /// There is no such task: not in a session that has or had an agent here, and not among the tasks that the host
    /// submitted and the manager remembers. Before the sessions of a journal are
    /// [resumed](AsyncToolManager::recover), the manager doesn't know their tasks.
    UnknownTask,
    /// A session is being resumed, and the task may be in it. Try again a moment later;
    /// [`resolve_durably`](AsyncToolManager::resolve_durably) waits by itself.
    Resuming,
    /// The task has ended with this status, in this process or in an earlier one. So an answer or a result that comes
    /// twice gets this, also after its session was resumed. If the status is not terminal, a result from outside was
    /// accepted before and is about to be published.
    AlreadySettled(TaskStatus),
    /// The task doesn't wait for such an answer, or was not started yet: it waits for results of other tasks.
    NotAsked,
    /// The function that asked is gone with its process, and must not run twice.
    Gone,
    /// The session of the task stopped or was left before it wrote the result down. Give the result to the process that
    /// has the session now, or resume the session.
    NotWritten,
    /// The value doesn't fit: the text names the JSON path, the expectation, and the actual value.
    Invalid(String),
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTask => {
                f.write_str("there is no such task; ask the manager that runs it, before it forgets it")
            }
            Self::Resuming => f.write_str("a session is being resumed, and the task may be in it; try again in a moment"),
            Self::AlreadySettled(status) if !status.is_terminal() => {
                f.write_str("the task was given its end before; ask for its outcome to see which")
            }
            Self::AlreadySettled(status) => write!(f, "the task is already settled: {status}"),
            Self::NotAsked => f.write_str("the task doesn't ask for that; its snapshot says what it asks for"),
            Self::Gone => f.write_str(
                "the function that asked has gone with its process, and must not run twice; complete the task with `resolve`, or refuse",
            ),
            Self::NotWritten => f.write_str(
                "the session of the task has stopped before the result was written down; resume it, and give the result again",
            ),
            Self::Invalid(problem) => write!(f, "the value doesn't fit: {problem}"),
        }
    }
}

impl std::error::Error for ResolveError {}

pub(super) fn check(schema: &Value, value: &Value) -> Result<(), String> {
    Constraints::of(schema).check_all(schema, value)
}
