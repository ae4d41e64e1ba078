//! The keys of a list are known and given once, and each has its own error.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(retry(atempts = 3, backof = "200ms..10s", total = 60), rate(limit = "1/s", limit = "2/s"))]
fn work() {}

fn main() {}
