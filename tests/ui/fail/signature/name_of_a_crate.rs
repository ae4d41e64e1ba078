//! The struct of a tool has the function's name, where modules and crates have theirs.

use std::time;

use async_tool_runtime::async_tool;

/// Tells the time.
#[async_tool]
fn time() -> u64 {
    0
}

/// Measures a number.
#[async_tool]
fn core(number: u8) -> usize {
    core::mem::size_of_val(&number)
}

fn main() {}
