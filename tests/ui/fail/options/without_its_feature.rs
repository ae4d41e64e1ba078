//! A tool that keeps values, without the feature for it: one error, at the key.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(effect = "read", cache(ttl = "5m"))]
pub fn work(text: &str) -> usize {
    text.len()
}

fn main() {}
