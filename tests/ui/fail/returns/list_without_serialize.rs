//! The entries of a result must serialise.

use async_tool_runtime::async_tool;

struct Finding;

/// Works.
#[async_tool]
fn work() -> Vec<Finding> {
    vec![Finding]
}

fn main() {}
