//! Arguments have different names.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(_number: u8, #[arg(rename = "_number")] _other: u8) {}

fn main() {}
