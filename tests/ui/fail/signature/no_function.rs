//! Tools are functions.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
pub struct Work;

fn main() {
    let _ = Work;
}
