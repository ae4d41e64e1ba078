//! A `State` of another crate, such as axum's, is not ours.

use async_tool_runtime::async_tool;

mod axum {
    pub struct State<T>(pub T);
}
use axum::State;

struct Database;

/// Works.
#[async_tool]
fn work(#[inject] _database: State<Database>) {}

fn main() {}
