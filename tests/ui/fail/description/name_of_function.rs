//! The function's name is a name too.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn größe() {}

fn main() {}
