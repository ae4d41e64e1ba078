//! Values that the host shares with its tools.

use std::{any::type_name, fmt, ops::Deref, sync::Arc};

use super::{
    context::ToolContext,
    error::{ToolError, ToolErrorKind},
    inject::{FromToolContext, Requirement},
};

/// A value of the host's, shared by all tools that ask for it: `#[inject] db: State<Database>`.
///
/// Registered with [`AsyncToolManagerBuilder::state`](crate::manager::AsyncToolManagerBuilder::state); a tool that asks for a
/// state nobody registered is an error when the manager is built.
pub struct State<T>(Arc<T>);

impl ToolContext {
    /// The host's value of type `T`, if one is registered.
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
