//! What a tool can ask of the host.

use std::{
    any::{TypeId, type_name},
    fmt,
};

use super::{cancellation::CancellationToken, context::ToolContext, error::ToolError};
use crate::tool::IdempotencyKey;

/// A type that the host can supply to a parameter marked `#[inject]`.
///
/// Implement it for your own types to build them from what a [`ToolContext`] offers:
///
/// ```
/// use async_tool_runtime::{tool::FromToolContext, ToolContext, ToolError};
///
/// struct Attempt(u32);
///
/// impl FromToolContext for Attempt {
///     fn from_tool_context(cx: &ToolContext) -> Result<Self, ToolError> {
///         Ok(Attempt(cx.attempt()))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be injected into a tool",
    label = "the host doesn't know how to supply this",
    note = "`#[inject]` takes `ToolContext`, `CancellationToken`, `Progress`, `Messages`, `IdempotencyKey`, `State<T>`, or a type with `impl FromToolContext`",
    note = "for a value of the host's, take `State<{Self}>` and register it with `.state(value)` on the manager's builder"
)]
pub trait FromToolContext: Sized {
    /// Makes the value for one attempt.
    ///
    /// # Errors
    ///
    /// What stands in the way; the attempt fails with it.
    fn from_tool_context(cx: &ToolContext) -> Result<Self, ToolError>;

    /// What must have been registered for this to work; checked when the manager is built. Default: nothing.
    #[must_use]
    fn requirement() -> Option<Requirement> {
        None
    }
}

/// Something a tool needs the host to have registered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    id: TypeId,
    name: &'static str,
}

impl Requirement {
    /// A value registered with `.state(value)`.
    #[must_use]
    pub fn state<T: 'static>() -> Self {
        Self {
            id: TypeId::of::<T>(),
            name: type_name::<T>(),
        }
    }

    /// The name of the type that is needed.
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
