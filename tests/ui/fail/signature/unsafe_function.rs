//! Tools aren't `unsafe`.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
unsafe fn work() {}

fn main() {}
