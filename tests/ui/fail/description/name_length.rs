//! A name has at most 64 characters.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(name = "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww")]
fn work() {}

fn main() {}
