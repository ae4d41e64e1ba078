//! An argument can be read.

use async_tool_runtime::async_tool;

#[derive(schemars::JsonSchema)]
#[allow(dead_code)]
struct Query(u8);

/// Works.
#[async_tool]
fn work(_query: Query) {}

fn main() {}
