//! A choice is one of those that there are.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(
    priority = "urgent",
    dedupe = "drop",
    scope = session,
    approval = true,
    delivery = "when idle"
)]
fn work() {}

fn main() {}
