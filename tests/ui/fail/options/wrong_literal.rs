//! A value is written as its key wants.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(
    timeout = 60,
    name = work,
    description,
    effect = "write",
    background = true,
    crate = "tools",
    grace =
)]
fn work() {}

fn main() {}
