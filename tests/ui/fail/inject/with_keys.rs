//! `#[inject]` stands alone.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(#[inject(state)] _cx: async_tool_runtime::ToolContext) {}

fn main() {}
