//! Parameters are the same in every configuration.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(#[cfg(unix)] _path: String) {}

fn main() {}
