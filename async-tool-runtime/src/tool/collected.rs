//! Collection of all tools of a program.

use std::sync::Arc;

use super::tool::Tool;

/// Entry for a tool that `#[async_tool]` made of a function somewhere in the program.
///
/// [`collected_tools`] reads the entries. A tool of your own joins them with the `inventory` crate:
///
/// ```standalone_crate
/// use async_tool_runtime::{tool::{Collected, collected_tools}, FunctionTool, ToolContext, ToolError};
/// use serde_json::Value;
/// use std::sync::Arc;
///
/// let entry = Collected(|| {
///     Arc::new(FunctionTool::new("ping", "Answers.", |_: Value, _: ToolContext| async { Ok::<_, ToolError>("pong") }))
/// });
/// // In a program: `inventory::submit! { Collected(|| …) }`.
/// assert_eq!(&*(entry.0)().definition().name, "ping");
/// assert!(collected_tools().is_empty());
/// ```
#[derive(Debug)]
pub struct Collected(pub fn() -> Arc<dyn Tool>);

inventory::collect!(Collected);

/// All tools that [`#[async_tool]`](crate::async_tool) made of functions, in every crate of the program, by name.
///
/// Methods are not among them, because they need a value of their service. If the program uses nothing else of a crate, the linker drops the
/// crate with its tools: name it once, with `use the_crate as _;`.
///
/// ```standalone_crate
/// use async_tool_runtime::{async_tool, tool::collected_tools, AsyncToolManager};
///
/// /// Adds one.
/// #[async_tool(effect = "read")]
/// fn add_one(number: i32) -> i32 {
///     number + 1
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(collected_tools()).build()?;
/// # assert_eq!(&*collected_tools()[0].definition().name, "add_one");
/// # drop(manager);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn collected_tools() -> Vec<Arc<dyn Tool>> {
    let mut tools = inventory::iter::<Collected>
        .into_iter()
        .map(|Collected(make)| make())
        .collect::<Vec<_>>();
    // Sorted, because the linker's order may change between builds, and definitions are part of a provider's prompt cache.
    tools.sort_by(|left, right| left.definition().name.cmp(&right.definition().name));
    tools
}
