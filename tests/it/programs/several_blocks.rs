//! A type has several blocks of tools, if their methods have different names; `#[tool]` marks a tool too.

#![deny(warnings, unreachable_pub)]

use std::sync::Arc;

use async_tool_runtime::{AsyncToolManager, async_tools};

struct Desk;

#[async_tools]
impl Desk {
    /// Reads.
    #[async_tool(effect = "read")]
    fn read(&self) {}
}

#[async_tools(tools = writing_tools)]
impl Desk {
    /// Writes.
    #[async_tool]
    fn write(&self) {}

    /// Is marked by an alias.
    #[tool(effect = "read")]
    fn count(&self) -> u8 {
        1
    }

    /// Has the name that the other block's method has.
    #[async_tool]
    fn erase(&self) {}
}

struct Drawer<T>(T);

#[async_tools(tools = all, crate = async_tool_runtime)]
impl<T: Send + Sync + 'static> Drawer<T> {
    /// Opens.
    #[async_tool]
    fn open(&self) {}

    fn tools(&self) -> &T {
        &self.0
    }
}

#[test]
fn compiles_and_runs() {
    let desk = Arc::new(Desk);
    let builder = AsyncToolManager::builder()
        .tools(desk.tools())
        .tools(desk.writing_tools());
    assert_eq!(builder.build().unwrap().registry().definitions().len(), 4);
    let drawer = Arc::new(Drawer(5));
    assert_eq!((drawer.clone().all().len(), *drawer.tools()), (1, 5));
}
