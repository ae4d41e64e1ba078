//! Tools don't name lifetimes: one error, where the lifetime is declared.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work<'a>(text: &'a str) -> &'a str {
    text
}

fn main() {
    let _ = (work::tool(), work("x"));
}
