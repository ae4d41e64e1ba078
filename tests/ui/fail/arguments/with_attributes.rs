//! A wrong type is one error, whatever else is said of the argument.

use async_tool_runtime::async_tool;

#[derive(Default)]
struct Query;

/// Works.
#[async_tool]
fn work(
    #[arg(default, rename = "first")] _first: Query,
    #[serde(default)] _second: &Query,
    #[serde(alias = "c")] _third: Option<&Query>,
    #[schemars(extend("x" = 1))] _fourth: Vec<Query>,
) {
}

fn main() {}
