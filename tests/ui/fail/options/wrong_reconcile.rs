//! A reconcile function is named by path, and takes a lost task.

use async_tool_runtime::{async_tool, tool::{LostTask, Reconciled}};

async fn takes_nothing() -> Result<Reconciled<()>, String> {
    Ok(Reconciled::NotStarted)
}

async fn finds_something_else(_: LostTask) -> Result<bool, String> {
    Ok(true)
}

/// Works.
#[async_tool(reconcile = "takes_nothing")]
fn named() {}

/// Works.
#[async_tool(reconcile = takes_nothing)]
fn taking() {}

/// Works.
#[async_tool(reconcile = finds_something_else)]
fn finding() {}

fn main() {}
