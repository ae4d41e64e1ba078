//! `default` alone needs a `Default`.

use async_tool_runtime::async_tool;

#[derive(serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
struct Query(u8);

/// Works.
#[async_tool]
fn work(#[arg(default)] _query: Query) {}

fn main() {}
