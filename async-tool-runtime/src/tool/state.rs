//! Values that the host shares with its tools.

use std::{any::type_name, fmt, ops::Deref, sync::Arc};

use super::{
    context::ToolContext,
    error::{ToolError, ToolErrorKind},
    inject::{FromToolContext, Requirement},
};

/// Value of the host, shared by all tools that ask for it: `#[inject] db: State<Database>`.
///
/// The host registers it with [`AsyncToolManagerBuilder::state`](crate::manager::AsyncToolManagerBuilder::state). If it is missing, building
/// the manager fails.
///
/// ```
/// use async_tool_runtime::{async_tool, tool::State, tools, AsyncToolManager, SessionId, ToolCall};
/// use serde_json::json;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// #[derive(Default)]
/// struct Counter(AtomicU64);
///
/// /// Counts a visitor, and returns the number of all.
/// #[async_tool]
/// async fn count_visitor(#[inject] counter: State<Counter>) -> u64 {
///     counter.0.fetch_add(1, Ordering::Relaxed) + 1
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// assert!(AsyncToolManager::builder().tools(tools![count_visitor]).build().is_err());
///
/// let manager = AsyncToolManager::builder().tools(tools![count_visitor]).state(Counter::default()).build()?;
/// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "count_visitor", json!({})))?;
/// assert_eq!(task.outcome().await.outcome.value(), Some(&json!(1)));
/// # Ok(())
/// # }
/// ```
pub struct State<T>(Arc<T>);

impl ToolContext {
    /// The host's value of type `T`, if one is registered.
    ///
    /// For values that may be missing; a required value is injected as [`State`].
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, tools, AsyncToolManager, SessionId, ToolCall, ToolContext};
    /// use serde_json::json;
    ///
    /// struct Nickname(&'static str);
    ///
    /// /// Greets the user.
    /// #[async_tool(effect = "read")]
    /// async fn greet(#[inject] cx: ToolContext) -> String {
    ///     match cx.state::<Nickname>() {
    ///         Some(nickname) => format!("Hi, {}!", nickname.0),
    ///         None => "Good day.".to_owned(),
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![greet]).build()?;
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "greet", json!({})))?;
    /// assert_eq!(task.outcome().await.outcome.value(), Some(&json!("Good day.")));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.states().find()
    }
}

impl<T> State<T> {
    /// The shared value.
    #[must_use]
    pub fn into_inner(self) -> Arc<T> {
        self.0
    }
}

impl<T> Clone for State<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for State<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("State").field(&self.0).finish()
    }
}

impl<T: Send + Sync + 'static> FromToolContext for State<T> {
    fn from_tool_context(cx: &ToolContext) -> Result<Self, ToolError> {
        cx.state::<T>().map(Self).ok_or_else(|| {
            ToolError::new(
                ToolErrorKind::Internal,
                format!("no state of type `{}` is registered", type_name::<T>()),
            )
            .with_model_message("the tool is not set up correctly")
        })
    }

    fn requirement() -> Option<Requirement> {
        Some(Requirement::state::<T>())
    }
}
