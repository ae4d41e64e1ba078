//! A flattened argument has no property, so nothing can be said of it.

use async_tool_runtime::async_tool;

#[derive(Default, serde::Deserialize, schemars::JsonSchema)]
struct Page {
    _number: u8,
}

/// Works.
#[async_tool]
fn work(
    #[serde(flatten, default, alias = "page")] _first: Page,
    #[serde(flatten)]
    #[arg(rename = "x", min = 1)]
    _second: Page,
) {
}

fn main() {}
