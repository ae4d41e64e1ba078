//! A context for a function that is called by a test.

use std::sync::OnceLock;

use crate::{
    clock::Timestamp,
    session::SessionId,
    task::{TaskCell, TaskNo, TaskSpec, ToolCall},
    tool::{TaskContext, ToolContext},
};

/// A context as a tool gets it on the first attempt of `t1`, without a deadline and without states: to call the function of a
/// tool in a unit test.
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
    let call = ToolCall::new("call_1", "test", serde_json::json!({}));
    let spec = TaskSpec::new(SessionId::new("test"), call).with_number(TaskNo::new(1));
    ToolContext::new(TaskContext {
        cell: TaskCell::new(spec, Timestamp::default(), None, None),
        attempt: 1,
        deadline: None,
        host: None,
        calls: 0.into(),
        token: OnceLock::new(),
    })
}
