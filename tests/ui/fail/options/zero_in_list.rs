//! What lasts no time is left out.

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
