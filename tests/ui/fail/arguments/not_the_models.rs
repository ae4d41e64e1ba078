//! Arguments are written by the model, and need no help of generics.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(
    #[serde(skip)] _first: u8,
    #[serde(default, skip_deserializing)] _second: u8,
    #[schemars(skip)] _third: u8,
    #[serde(bound = "u8: Clone")] _fourth: u8,
    #[serde(borrow)] _fifth: &str,
) {
}

fn main() {}
