//! `futures` stands alone.

use async_tool_runtime::async_tool;

/// Adds.
#[async_tool(futures = true)]
fn add(a: i64, b: i64) -> i64 {
    a + b
}

fn main() {
    let _ = add::tool();
}
