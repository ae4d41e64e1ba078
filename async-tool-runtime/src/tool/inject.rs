//! Values that the host injects into tools.

use std::{
    any::{TypeId, type_name},
    fmt,
    sync::Arc,
};

use super::{
    cancellation::CancellationToken,
    context::ToolContext,
    error::{ToolError, ToolErrorKind},
};
use crate::tool::IdempotencyKey;

/// Type that the host can supply to a parameter marked `#[inject]`.
///
/// Implement it for your own types to build them from a [`ToolContext`]:
///
/// ```
/// use async_tool_runtime::{
///     async_tool, tool::FromToolContext, tools, AsyncToolManager, SessionId, ToolCall, ToolContext, ToolError,
/// };
/// use serde_json::json;
///
/// struct User(String);
///
/// impl FromToolContext for User {
///     fn from_tool_context(cx: &ToolContext) -> Result<Self, ToolError> {
///         Ok(User(cx.session().to_string()))
///     }
/// }
///
/// /// Greets the user.
/// #[async_tool(effect = "read")]
/// async fn greet(#[inject] user: User) -> String {
///     format!("Hello, {}!", user.0)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![greet]).build()?;
/// let task = manager.submit(&SessionId::new("ada"), ToolCall::new("call_1", "greet", json!({})))?;
/// assert_eq!(task.outcome().await.outcome.value(), Some(&json!("Hello, ada!")));
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be injected into a tool",
    label = "the host doesn't know how to supply this",
    note = "`#[inject]` takes `ToolContext`, `CancellationToken`, `Progress`, `Messages`, `IdempotencyKey`, `tool::State<T>`, or a type with `impl FromToolContext`",
    note = "for a value of the host's of type `T`, take `async_tool_runtime::tool::State<T>` and register it with `.state(value)` on the manager's builder; a `State` of another crate is another type"
)]
pub trait FromToolContext: Sized {
    /// Makes the value for one attempt.
    ///
    /// # Errors
    ///
    /// Any reason why the value can't be made; the attempt fails with it.
    fn from_tool_context(cx: &ToolContext) -> Result<Self, ToolError>;

    /// Value that the host must register; checked when the manager is built. Default: none.
    #[must_use]
    fn requirement() -> Option<Requirement> {
        None
    }
}

/// Value that a tool needs the host to register. A missing one is found when the manager is built.
///
/// ```
/// use async_tool_runtime::{
///     async_tool, tool::{FromToolContext, Requirement, State}, tools, AsyncToolManager, ToolContext, ToolError,
/// };
///
/// struct Database;
/// struct Connection(State<Database>);
///
/// impl FromToolContext for Connection {
///     fn from_tool_context(cx: &ToolContext) -> Result<Self, ToolError> {
///         State::from_tool_context(cx).map(Connection)
///     }
///
///     fn requirement() -> Option<Requirement> {
///         Some(Requirement::state::<Database>())
///     }
/// }
///
/// /// Counts the users.
/// #[async_tool(effect = "read")]
/// async fn count_users(#[inject] connection: Connection) -> u32 {
///     # let _ = connection.0;
///     // …
///     # 0
/// }
///
/// let error = AsyncToolManager::builder().tools(tools![count_users]).build().unwrap_err();
/// assert!(error.to_string().contains("Database"));
/// assert!(AsyncToolManager::builder().tools(tools![count_users]).state(Database).build().is_ok());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    id: TypeId,
    name: &'static str,
}

impl Requirement {
    /// Value of type `T`, registered with `.state(value)`.
    #[must_use]
    pub fn state<T: 'static>() -> Self {
        Self {
            id: TypeId::of::<T>(),
            name: type_name::<T>(),
        }
    }

    /// Name of the required type.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        self.name
    }

    pub(crate) const fn type_id(&self) -> TypeId {
        self.id
    }
}

impl fmt::Debug for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Requirement({})", self.name)
    }
}

/// Never implemented: the reason why an `Arc` can't be injected, for the compiler's error.
///
/// Without it, the error would advise a `State` of an `Arc`, which is not what the host registers.
#[diagnostic::on_unimplemented(
    message = "`Arc<{Self}>` can't be injected into a tool",
    label = "take `async_tool_runtime::tool::State<{Self}>` in place of the `Arc`",
    note = "`State` shares the value as an `Arc` does; register it on the manager's builder with `.state(value)`, or an `Arc` of it with `.shared_state(arc)`",
    note = "for a trait object, take `State<Arc<{Self}>>` and register the `Arc` with `.state(arc)`"
)]
pub trait InjectedInAnArc {}

impl<T: InjectedInAnArc + ?Sized> FromToolContext for Arc<T> {
    fn from_tool_context(_: &ToolContext) -> Result<Self, ToolError> {
        Err(ToolError::new(
            ToolErrorKind::Internal,
            format!("take `State<{}>`", type_name::<T>()),
        ))
    }
}

impl FromToolContext for ToolContext {
    fn from_tool_context(cx: &ToolContext) -> Result<Self, ToolError> {
        Ok(cx.clone())
    }
}

impl FromToolContext for CancellationToken {
    fn from_tool_context(cx: &ToolContext) -> Result<Self, ToolError> {
        Ok(cx.cancellation().clone())
    }
}

impl FromToolContext for IdempotencyKey {
    fn from_tool_context(cx: &ToolContext) -> Result<Self, ToolError> {
        Ok(cx.idempotency_key())
    }
}
