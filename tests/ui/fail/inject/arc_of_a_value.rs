//! A shared value is injected as `State`, not as `Arc`.

use std::sync::Arc;

use async_tool_runtime::async_tool;

struct Database;

trait Store {}

/// Works.
#[async_tool]
fn work(#[inject] _database: Arc<Database>) {}

/// Works with a trait object.
#[async_tool]
fn store(#[inject] _store: Arc<dyn Store + Send + Sync>) {}

fn main() {}
