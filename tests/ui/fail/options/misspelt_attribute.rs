//! An attribute that is nearly one of the macro's.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(#[args(default = 5)] _number: u8, #[injected] _other: u8, #[param] _third: u8) {}

fn main() {}
