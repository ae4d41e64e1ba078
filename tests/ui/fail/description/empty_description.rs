//! A description says something.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(description = " ")]
fn work() {}

fn main() {}
