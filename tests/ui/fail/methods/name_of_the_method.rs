//! The method that returns the tools needs a name of its own.

use async_tool_runtime::async_tools;

struct Service;

#[async_tools]
impl Service {
    /// Works.
    #[async_tool]
    fn tools(&self) {}
}

struct Other;

#[async_tools(tools = "more")]
impl Other {
    /// Works.
    #[async_tool]
    fn work(&self) {}
}

fn main() {}
