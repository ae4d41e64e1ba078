//! Numbers are whole, and in range.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(
    concurrency = 0,
    retry(attempts = 1),
    breaker(failures = 0, cooldown = "30s"),
    cache(ttl = "5m", capacity = 0),
    effect = "read"
)]
fn too_small() {}

/// Works.
#[async_tool(concurrency = 5_000_000_000, retry(attempts = 101))]
fn too_large() {}

/// Works.
#[async_tool(concurrency = -4, retry(attempts = 2.5))]
fn not_whole() {}

fn main() {}
