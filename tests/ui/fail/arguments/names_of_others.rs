//! Another name of an argument is no name of a second one.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(#[serde(alias = "_second")] _first: u8, _second: u8, #[serde(alias = "_second")] _third: u8) {}

fn main() {}
