//! A mistake in the body is shown in the body, and not at the callers.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
async fn work(number: u8) -> String {
    number
}

fn main() {
    let _ = (work::tool(), work(1));
}
