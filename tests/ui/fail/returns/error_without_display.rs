//! An error must display itself; that it serialises doesn't make it a result.

use async_tool_runtime::async_tool;

#[derive(serde::Serialize)]
struct Failure;

/// Works.
#[async_tool]
fn work() -> Result<u8, Failure> {
    Err(Failure)
}

fn main() {}
