//! A block knows its tools by two names of the macro.

use async_tool_runtime::{async_tool as command, async_tools};

struct Service;

#[async_tools]
impl Service {
    /// Works.
    #[async_tool]
    fn work(&self) {}

    /// Rests.
    #[command]
    fn rest(&self) {}
}

fn main() {}
