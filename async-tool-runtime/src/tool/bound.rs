//! Bound calls: checked, and ready to run.

use serde_json::Value;

use super::{context::ToolContext, error::ToolError};
use crate::future::BoxFuture;

/// Call with checked arguments, ready to run once.
///
/// A [`Tool`](super::Tool) makes it in [`bind`](super::Tool::bind):
///
/// ```
/// use async_tool_runtime::{
///     tool::BoundCall, AsyncToolManager, FunctionTool, SessionId, ToolCall, ToolDefinition, ToolError, ToolErrorKind,
/// };
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let schema = json!({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]});
/// let tool = FunctionTool::from_parts(ToolDefinition::new("shout", "Shouts a text.", schema), |arguments| {
///     let Some(text) = arguments["text"].as_str().map(str::to_uppercase) else {
///         return Err(ToolError::new(ToolErrorKind::InvalidArguments, "at `$.text`: expected a string"));
///     };
///     Ok(BoundCall::future(|_cx| async move { Ok(json!(text)) }))
/// });
/// let manager = AsyncToolManager::builder().tool(tool).build()?;
/// let call = ToolCall::new("call_1", "shout", json!({"text": "land"}));
/// let task = manager.submit(&SessionId::new("example"), call)?;
/// assert_eq!(task.outcome().await.outcome.value(), Some(&json!("LAND")));
/// # Ok(())
/// # }
/// ```
pub struct BoundCall(pub(crate) Run);

/// Function of a bound call, for an async thread or for the blocking pool.
pub(crate) enum Run {
    Async(Box<dyn FnOnce(ToolContext) -> BoxFuture<'static, Result<Value, ToolError>> + Send>),
    Blocking(Box<dyn FnOnce(ToolContext) -> Result<Value, ToolError> + Send>),
}

impl BoundCall {
    /// Call that runs on the async threads, and so must not block. Blocking code goes into [`BoundCall::blocking`].
    #[must_use]
    pub fn future<F, Fut>(run: F) -> Self
    where
        F: FnOnce(ToolContext) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Value, ToolError>> + Send + 'static,
    {
        Self(Run::Async(Box::new(|cx| Box::pin(run(cx)))))
    }

    /// Call that runs on tokio's blocking pool, and so may block.
    ///
    /// ```
    /// use async_tool_runtime::{tool::BoundCall, AsyncToolManager, FunctionTool, SessionId, ToolCall, ToolDefinition, ToolError};
    /// use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let definition = ToolDefinition::new("read_manifest", "Reads the manifest.", json!({"type": "object"}));
    /// let tool = FunctionTool::from_parts(definition, |_| {
    ///     Ok(BoundCall::blocking(|_cx| {
    ///         let manifest = std::fs::read_to_string("Cargo.toml").map_err(ToolError::from_error)?;
    ///         Ok(json!(manifest.lines().next()))
    ///     }))
    /// });
    /// let manager = AsyncToolManager::builder().tool(tool).build()?;
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "read_manifest", json!({})))?;
    /// assert_eq!(task.outcome().await.outcome.value(), Some(&json!("[package]")));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn blocking<F>(run: F) -> Self
    where
        F: FnOnce(ToolContext) -> Result<Value, ToolError> + Send + 'static,
    {
        Self(Run::Blocking(Box::new(run)))
    }

    /// True if it runs on the blocking pool.
    pub(crate) const fn is_blocking(&self) -> bool {
        matches!(self.0, Run::Blocking(_))
    }
}

impl std::fmt::Debug for BoundCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Run::Async(_) => "BoundCall::future(..)",
            Run::Blocking(_) => "BoundCall::blocking(..)",
        })
    }
}
