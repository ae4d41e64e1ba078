//! `off` isn't a text.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(notice = "off")]
fn work() {}

fn main() {}
