//! Tools have a body.

use async_tool_runtime::async_tool;

trait Work {
    /// Works.
    #[async_tool]
    fn work(number: u8);
}

fn main() {}
