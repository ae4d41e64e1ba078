//! Each block of a type needs a method of its own.

use std::sync::Arc;

use async_tool_runtime::async_tools;

struct Desk;

#[async_tools]
impl Desk {
    /// Reads.
    #[async_tool]
    fn read(&self) {}
}

/// More of the desk.
#[async_tools]
impl Desk {
    /// Writes.
    #[async_tool]
    fn write(&self) {}
}

struct Shelf<T>(T);

#[async_tools(tools = all)]
impl<T: Send + Sync + 'static> Shelf<T> {
    /// Takes.
    #[async_tool]
    fn take(&self) {}
}

#[async_tools(tools = all)]
impl<T: Send + Sync + 'static> Shelf<T> {
    /// Puts.
    #[async_tool]
    fn put(&self) {}
}

fn main() {
    let _ = Arc::new(Desk).tools();
    let _ = Arc::new(Shelf(1)).all();
}
