//! A parameter has a name.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(_: u8) {}

fn main() {}
