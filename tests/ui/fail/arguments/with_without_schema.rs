//! A value that `with` reads has a schema.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(#[serde(alias = "k", with = "hex")] _key: Vec<u8>) {}

fn main() {}
