//! Tools don't take `impl Trait`.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(_text: impl Into<String>) {}

fn main() {
    let _ = (work::tool(), work("x"));
}
