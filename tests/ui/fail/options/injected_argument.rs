//! A value that the host supplies isn't an argument.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(#[inject] #[arg(default)] _cx: async_tool_runtime::ToolContext) {}

fn main() {}
