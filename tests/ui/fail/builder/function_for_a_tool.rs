//! A builder takes tools, not their functions.

use async_tool_runtime::{AsyncToolManager, async_tool};

/// Finds.
#[async_tool]
fn find(text: String) -> String {
    text
}

fn main() {
    let _ = AsyncToolManager::builder().tool(find);
}
