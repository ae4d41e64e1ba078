//! Keys are separated by commas.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(timeout = "5s" effect = "read")]
fn work() {}

fn main() {}
