//! Tools have Rust's calling convention.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
extern "C" fn work() {}

fn main() {}
