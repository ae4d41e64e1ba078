//! A list has all keys that it needs.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(retry(total = "60s"), rate(key = "github"), breaker(), cache(capacity = 10), effect = "read")]
fn work() {}

fn main() {}
