//! A description says something.

use async_tool_runtime::async_tool;

///
#[async_tool]
fn work() {}

fn main() {}
