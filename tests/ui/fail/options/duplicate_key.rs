//! A key is given once.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(timeout = "5s", timeout = "6s")]
fn work() {}

fn main() {}
