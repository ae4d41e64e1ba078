//! A default has the type of its argument.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(#[arg(default = true)] _number: u8) {}

fn main() {}
