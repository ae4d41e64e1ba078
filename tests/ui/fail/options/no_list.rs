//! A list is written as one.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(retry = 3, rate, breaker["5"], cache = "5m", timeout("60s"), effect = "read")]
fn work() {}

fn main() {}
