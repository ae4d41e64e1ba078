//! A result must serialise.

use async_tool_runtime::async_tool;

struct Findings;

/// Works.
#[async_tool]
fn work() -> Findings {
    Findings
}

fn main() {}
