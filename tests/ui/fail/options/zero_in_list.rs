//! A duration of zero is left out instead.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(
    retry(attempts = 3, total = "0s"),
    breaker(failures = 5, cooldown = "0s"),
    cache(ttl = "0s"),
    effect = "read"
)]
fn work() {}

fn main() {}
