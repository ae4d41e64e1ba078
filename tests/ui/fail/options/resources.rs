//! Arguments name the resources that a tool reads and writes.

use async_tool_runtime::{ToolContext, async_tool};

/// Misspelt.
#[async_tool(reads = "pth")]
fn misspelt(path: String) {
    drop(path);
}

/// The name is the model's.
#[async_tool(writes = "file:sources")]
fn renamed(#[arg(rename = "from")] sources: String) {
    drop(sources);
}

/// The host's value has no name for the model.
#[async_tool(reads = "cx")]
fn injected(#[inject] cx: ToolContext) {
    drop(cx);
}

/// No kind, and no argument.
#[async_tool(reads = ":path", writes = "path, ")]
fn empty(path: String) {
    drop(path);
}

/// No text.
#[async_tool(reads = ["path"])]
fn listed(path: String) {
    drop(path);
}

fn main() {}
