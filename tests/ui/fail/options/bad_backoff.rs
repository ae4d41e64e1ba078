//! A backoff is from the first pause to the longest.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool(retry(attempts = 3, backoff = "200ms"))]
fn alone() {}

/// Works.
#[async_tool(retry(attempts = 3, backoff = "10s..200ms"))]
fn swapped() {}

/// Works.
#[async_tool(retry(attempts = 3, backoff = "0s..10s"))]
fn from_zero() {}

/// Works.
#[async_tool(retry(attempts = 3, backoff = "200ms..ten"))]
fn no_duration() {}

fn main() {}
