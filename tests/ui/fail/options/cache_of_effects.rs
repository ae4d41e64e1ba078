//! Only what changes nothing is given again without running.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(cache(ttl = "5m"))]
fn once_by_default() {}

/// Works.
#[async_tool(effect = "idempotent", cache(ttl = "5m"))]
fn idempotent() {}

/// Works.
#[async_tool(effect = "raed", cache(ttl = "5m"))]
fn misspelt() {}

/// Works.
#[async_tool(efect = "read", cache(ttl = "5m"))]
fn unknown() {}

fn main() {}
