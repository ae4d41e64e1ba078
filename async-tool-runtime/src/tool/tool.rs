//! The trait behind all tools.

use std::sync::Arc;

use super::{
    arguments::Arguments, bound::BoundCall, definition::ToolDefinition, error::ToolError, inject::Requirement,
    options::ToolOptions,
};

/// Tool that a model can call.
///
/// [`#[async_tool]`](crate::async_tool) makes one of a function, and [`FunctionTool`](super::FunctionTool) one of a closure. Implement the
/// trait where neither fits, such as for tools of another process.
///
/// An implementation MUST return the same definition every time, and MUST NOT do the work in `bind`.
///
/// ```
/// use async_tool_runtime::{
///     tool::{Arguments, BoundCall, ToolOptions}, AsyncToolManager, Effect, SessionId, Tool, ToolCall, ToolDefinition, ToolError,
/// };
/// use serde_json::json;
/// use std::sync::Arc;
///
/// /// A tool that another server offers.
/// struct Remote {
///     definition: ToolDefinition,
///     options: ToolOptions,
/// }
///
/// impl Tool for Remote {
///     fn definition(&self) -> &ToolDefinition {
///         &self.definition
///     }
///
///     fn options(&self) -> &ToolOptions {
///         &self.options
///     }
///
///     fn bind(&self, arguments: &Arguments) -> Result<BoundCall, ToolError> {
///         let arguments = arguments.value().clone();
///         Ok(BoundCall::future(|_cx| async move {
///             // Ask the server.
///             Ok(json!({"asked_with": arguments}))
///         }))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut options = ToolOptions::default();
/// options.effect = Effect::Read;
/// let definition = ToolDefinition::new("search", "Searches.", json!({"type": "object"}));
/// let remote: Arc<dyn Tool> = Arc::new(Remote { definition, options });
///
/// let manager = AsyncToolManager::builder().tool(remote).build()?;
/// let call = ToolCall::new("call_1", "search", json!({"query": "terns"}));
/// let result = manager.submit(&SessionId::new("example"), call)?.outcome().await;
/// assert_eq!(result.outcome.value(), Some(&json!({"asked_with": {"query": "terns"}})));
/// # Ok(())
/// # }
/// ```
pub trait Tool: Send + Sync + 'static {
    /// Name, description and schemas of the tool.
    fn definition(&self) -> &ToolDefinition;

    /// Settings for its calls. Default: [`ToolOptions::DEFAULT`].
    fn options(&self) -> &ToolOptions {
        ToolOptions::DEFAULT
    }

    /// Values that the host must register; checked when the manager is built. Default: none.
    fn requirements(&self) -> &[Requirement] {
        &[]
    }

    /// Checks the tool itself; asked when the manager is built. Default: no mistake.
    ///
    /// A [`FunctionTool`](super::FunctionTool) whose schema was made of types refuses defaults and examples outside of their own limits.
    ///
    /// # Errors
    ///
    /// The mistake, in words that follow the tool's name.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// True if each call needs the manager that runs it, to submit tasks or to ask people for example. A manager with a
    /// [backend](crate::backend::Backend) refuses the tool, because workers have no manager for its tasks. Default: false.
    fn needs_manager(&self) -> bool {
        false
    }

    /// Checks the arguments and returns the call, ready to run. Called again for every attempt.
    ///
    /// # Errors
    ///
    /// [`ToolErrorKind::InvalidArguments`](super::ToolErrorKind::InvalidArguments), with a message that says where, what was expected and what came.
    fn bind(&self, arguments: &Arguments) -> Result<BoundCall, ToolError>;
}

/// Value that is a tool, or can be made one: an `Arc<dyn Tool>`, or a [`FunctionTool`](super::FunctionTool).
///
/// Implemented for everything that converts into an `Arc<dyn Tool>`.
///
/// ```
/// use async_tool_runtime::{async_tool, tool::IntoTool};
///
/// /// Adds two numbers.
/// #[async_tool]
/// fn add(a: i64, b: i64) -> i64 {
///     a + b
/// }
///
/// let tools = [add::tool().into_tool(), add::tool().name("plus").into_tool()];
/// assert_eq!(&*tools[1].definition().name, "plus");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a tool",
    label = "isn't a tool",
    note = "for a function `find` with `#[async_tool]`, write `find::tool()`",
    note = "for a service with `#[async_tools]`, write `.tools(service.tools())`",
    note = "for a type of your own with `Tool`, write `Arc::new(value) as Arc<dyn Tool>`"
)]
pub trait IntoTool {
    /// Converts the value.
    fn into_tool(self) -> Arc<dyn Tool>;
}

#[diagnostic::do_not_recommend]
impl<T: Into<Arc<dyn Tool>>> IntoTool for T {
    fn into_tool(self) -> Arc<dyn Tool> {
        self.into()
    }
}

// `dyn Tool` must stay possible: the registry holds tools of many types.
const _: fn(&dyn Tool) = |_| {};
