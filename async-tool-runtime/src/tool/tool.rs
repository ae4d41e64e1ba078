//! Something a model can call.

use super::{
    arguments::Arguments, bound::BoundCall, definition::ToolDefinition, error::ToolError, inject::Requirement,
    options::ToolOptions,
};

/// Something a model can call.
///
/// [`#[async_tool]`](crate::async_tool) makes one of a function; [`FunctionTool`](super::FunctionTool) makes one of a closure. Implement the
/// trait where neither fits: for tools whose names are known only at run time, or that live in another process.
///
/// An implementation MUST return the same definition every time, and MUST NOT do the work in `bind`.
pub trait Tool: Send + Sync + 'static {
    /// The name, description and schemas of the tool.
    fn definition(&self) -> &ToolDefinition;

    /// How its calls are to be run.
    fn options(&self) -> &ToolOptions {
        ToolOptions::DEFAULT
    }

    /// What the host must have registered for the tool to work; checked when the manager is built.
    fn requirements(&self) -> &[Requirement] {
        &[]
    }

    /// Checks the arguments and gives back the call, ready to run. Called again for every attempt.
    ///
    /// # Errors
    ///
    /// [`ToolErrorKind::InvalidArguments`](super::ToolErrorKind::InvalidArguments), with a message that says where, what was expected and what came.
    fn bind(&self, arguments: &Arguments) -> Result<BoundCall, ToolError>;
}

// `dyn Tool` must stay possible: the registry holds tools of many types.
const _: fn(&dyn Tool) = |_| {};
