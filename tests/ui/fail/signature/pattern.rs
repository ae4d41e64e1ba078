//! A parameter is a name.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work((_left, _right): (u8, u8)) {}

fn main() {}
