//! Error of a call that was not accepted.

use std::fmt;

use crate::tool::{ToolCall, ToolError, ToolErrorKind};

/// Error of a call that was not accepted: nothing has run, and the call is handed back.
///
/// ```
/// use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, ToolErrorKind, async_tool, tools};
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
/// let call = ToolCall::new("call_1", "ad", json!({"a": 2, "b": 3}));
/// let refused = manager.submit(&SessionId::new("example"), call).unwrap_err();
/// assert_eq!(refused.kind(), ToolErrorKind::UnknownTool);
/// assert!(refused.error().model_message().contains("did you mean `add`?"));
/// assert_eq!(&*refused.call().name, "ad");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SubmitError(Box<(ToolCall, ToolError)>);

impl SubmitError {
    pub(crate) fn new(call: ToolCall, error: ToolError) -> Self {
        Self(Box::new((call, error)))
    }

    /// Kind of the refusal: [`UnknownTool`](ToolErrorKind::UnknownTool),
    /// [`InvalidArguments`](ToolErrorKind::InvalidArguments), [`Overloaded`](ToolErrorKind::Overloaded),
    /// [`Unavailable`](ToolErrorKind::Unavailable) while the manager shuts down, or
    /// [`Internal`](ToolErrorKind::Internal) outside of a tokio runtime.
    #[must_use]
    pub fn kind(&self) -> ToolErrorKind {
        self.error().kind()
    }

    /// Error for the model, which says what to do instead.
    #[must_use]
    pub fn error(&self) -> &ToolError {
        &self.0.1
    }

    /// Call that was refused.
    #[must_use]
    pub fn call(&self) -> &ToolCall {
        &self.0.0
    }

    /// Splits into the refused call and the error.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall};
    /// # use serde_json::json;
    /// #
    /// # let manager = AsyncToolManager::builder().build()?;
    /// let call = ToolCall::new("call_1", "add", json!({"a": 2, "b": 3}));
    /// let (call, error) = manager.submit(&SessionId::new("example"), call).unwrap_err().into_parts();
    /// assert_eq!(&*call.name, "add");
    /// assert!(!error.retryable());
    /// # Ok::<(), async_tool_runtime::manager::BuildError>(())
    /// ```
    #[must_use]
    pub fn into_parts(self) -> (ToolCall, ToolError) {
        *self.0
    }
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call of `{}` refused: {}", self.call().name, self.error())
    }
}

impl std::error::Error for SubmitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(self.error())
    }
}
