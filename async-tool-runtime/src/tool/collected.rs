//! All tools of a program.

use std::sync::Arc;

use super::tool::Tool;

/// A tool that `#[async_tool]` made of a function somewhere in the program.
#[derive(Debug)]
pub struct Collected(pub fn() -> Arc<dyn Tool>);

inventory::collect!(Collected);

/// All tools that [`#[async_tool]`](crate::async_tool) made of functions, in every crate of the program, by name.
///
/// Methods are not among them, because nobody knows their service. A crate of which the program uses nothing else isn't
/// linked, and so its tools are missing: name it once, with `use the_crate as _;`.
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
    // The linker's order is no order; definitions are part of a provider's prompt cache.
    tools.sort_by(|left, right| left.definition().name.cmp(&right.definition().name));
    tools
}
