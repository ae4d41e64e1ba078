//! A context for tests that call a tool's function themselves.

use crate::{
    id::{TaskId, TaskNo},
    session::SessionId,
    tool::{CallId, CancellationToken, IdempotencyKey, TaskContext, ToolContext},
};

/// Context for a unit test that calls the function of a tool: the first attempt of `t1`, without a deadline and without states.
///
/// ```
/// use async_tool_runtime::{ToolContext, async_tool, testing::tool_context};
///
/// /// Says which attempt it is.
/// #[async_tool]
/// fn attempt(#[inject] cx: ToolContext) -> u32 {
///     cx.attempt()
/// }
///
/// assert_eq!(attempt(tool_context()), 1);
/// ```
#[must_use]
pub fn tool_context() -> ToolContext {
    let task = TaskId::new();
    ToolContext::new(TaskContext {
        task,
        number: Some(TaskNo::new(1)),
        session: SessionId::new("test"),
        call: CallId::new("call_1"),
        idempotency_key: IdempotencyKey::new(task),
        attempt: 1,
        deadline: None,
        states: Default::default(),
        cancellation: CancellationToken::new(),
        token: Default::default(),
        calls: Default::default(),
        host: None,
    })
}
