//! Tools have a fixed number of parameters.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(_first: u8, _more: ...) {}

fn main() {}
