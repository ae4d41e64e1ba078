//! `external` is a switch.

use async_tool_runtime::async_tool;

/// Orders.
#[async_tool(external = "webhook")]
fn order(item: String) -> String {
    item
}

fn main() {
    let _ = order::tool();
}
