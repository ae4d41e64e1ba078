//! An unknown key of a parameter names the nearest one and all valid ones.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(#[arg(defualt = 5)] _number: u8, #[arg] _other: u8) {}

fn main() {}
