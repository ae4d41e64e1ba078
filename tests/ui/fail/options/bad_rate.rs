//! A rate is a number of calls and a time.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(rate = "10")]
fn without_time() {}

/// Works.
#[async_tool(rate = "1.5/s")]
fn not_whole() {}

/// Works.
#[async_tool(rate(limit = "0/s", key = ""))]
fn no_calls() {}

/// Works.
#[async_tool(rate = "10/0ms")]
fn no_time() {}

fn main() {}
