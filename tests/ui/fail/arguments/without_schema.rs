//! An argument has a schema.

use async_tool_runtime::async_tool;

#[derive(serde::Deserialize)]
#[allow(dead_code)]
struct Query(u8);

/// Works.
#[async_tool]
async fn work(_first: u8, _query: Option<Query>) {}

fn main() {}
