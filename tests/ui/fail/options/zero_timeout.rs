//! A timeout leaves some time.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(timeout = "0s")]
fn work() {}

fn main() {}
