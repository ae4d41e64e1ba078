//! Tools are described.

use async_tool_runtime::async_tool;

#[async_tool]
fn work() {}

fn main() {
    let _ = work::tool();
}
