//! An argument has one default.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(#[arg(default = 1)] #[serde(default)] _number: u8) {}

fn main() {}
