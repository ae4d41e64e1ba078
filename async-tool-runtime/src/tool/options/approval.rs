//! Calls that need the host's approval.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use serde_json::Value;

/// Calls of a tool that the host must approve before they run.
///
/// Such a task waits in [`TaskStatus::InputRequired`](crate::task::TaskStatus::InputRequired), without a slot, until the host calls
/// [`approve`](crate::manager::AsyncToolManager::approve) or [`refuse`](crate::manager::AsyncToolManager::refuse).
///
/// ```
/// use async_tool_runtime::{async_tool, tools, AsyncToolManager, SessionId, TaskStatus, ToolCall, ToolErrorKind};
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
/// let call = ToolCall::new("call_1", "delete", json!({"path": "notes.txt"}));
/// let task = manager.submit(&SessionId::new("example"), call)?;
/// # while task.status() != TaskStatus::InputRequired { tokio::task::yield_now().await; }
/// // The task asks for approval.
/// manager.refuse(task.id(), "keep the notes")?;
///
/// let result = task.outcome().await;
/// assert_eq!(result.outcome.error().unwrap().kind(), ToolErrorKind::Refused);
/// assert_eq!(result.attempts, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Approval {
    /// No call. The default.
    #[default]
    Never,
    /// Every call.
    Always,
    /// Calls whose arguments satisfy the predicate. A predicate that panics counts as satisfied.
    When(Arc<dyn Fn(&Value) -> bool + Send + Sync>),
}

impl Approval {
    /// Requires approval of the calls whose arguments satisfy the predicate. A predicate that panics counts as satisfied.
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, policy::Approval, AsyncToolManager, SessionId, TaskStatus, ToolCall};
    /// use serde_json::json;
    ///
    /// /// Pays a bill.
    /// #[async_tool]
    /// async fn pay(cents: u64) -> String {
    ///     format!("paid {cents}")
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let large = Approval::when(|arguments| arguments["cents"].as_u64() > Some(10_000));
    /// let manager = AsyncToolManager::builder().tool(pay::tool().approval(large)).build()?;
    ///
    /// let call = ToolCall::new("call_1", "pay", json!({"cents": 250}));
    /// let task = manager.submit(&SessionId::new("example"), call)?;
    /// assert_eq!(task.outcome().await.outcome.value(), Some(&json!("paid 250")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn when(needs_approval: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Self {
        Self::When(Arc::new(needs_approval))
    }

    /// True if a call with these arguments needs approval.
    pub(crate) fn is_needed(&self, arguments: &Value) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::When(predicate) => catch_unwind(AssertUnwindSafe(|| predicate(arguments))).unwrap_or(true),
        }
    }
}

impl fmt::Debug for Approval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "Never",
            Self::Always => "Always",
            Self::When(_) => "When(..)",
        })
    }
}

/// Two predicates are equal only if they are clones of one `Arc`.
impl PartialEq for Approval {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Never, Self::Never) | (Self::Always, Self::Always) => true,
            (Self::When(one), Self::When(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Eq for Approval {}
