//! `#[async_tools]` is for `impl` blocks.

use async_tool_runtime::async_tools;

/// Works.
#[async_tools]
fn work() {}

fn main() {
    work();
}
