//! A name is made of what all providers take.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(name = "do.work")]
fn work() {}

fn main() {}
