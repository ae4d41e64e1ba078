//! The value of a `Result` must serialise.

use async_tool_runtime::async_tool;

struct Findings;

/// Works.
#[async_tool]
async fn work() -> Result<Findings, String> {
    Ok(Findings)
}

fn main() {}
