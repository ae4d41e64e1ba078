//! Arguments don't live longer than the call.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(_text: &'static str) {}

fn main() {}
