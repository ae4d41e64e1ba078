//! A size is a number and a unit.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(result_limit = "16kb")]
fn no_unit() {}

/// Works.
#[async_tool(result_limit = "100B")]
fn too_small() {}

/// Works.
#[async_tool(result_limit = "5000MB")]
fn too_large() {}

fn main() {}
