//! An unknown key names the nearest one and all valid ones.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(timeuot = "5s")]
fn work() {}

fn main() {
    let _ = work::tool();
}
