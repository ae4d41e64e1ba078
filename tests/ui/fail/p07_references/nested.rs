//! Only `&T` and `Option<&T>` are lent.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(_texts: Vec<&str>) {}

fn main() {}
