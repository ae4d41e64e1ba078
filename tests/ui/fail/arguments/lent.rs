//! A type behind a reference can be read.

use async_tool_runtime::async_tool;

struct Query;

/// Works.
#[async_tool]
fn work(_query: &Query, _queries: &[Query]) {}

fn main() {}
