//! A duration is a number and a unit.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(timeout = "60", grace = "a while")]
fn work() {}

fn main() {}
