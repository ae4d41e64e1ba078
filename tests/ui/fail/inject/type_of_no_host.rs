//! The host must know how to supply what is injected.

use async_tool_runtime::async_tool;

struct Database;

/// Works.
#[async_tool]
fn work(#[inject] _database: Database) {}

fn main() {}
