//! Without generics there is nothing to bound.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work()
where
    u8: Copy,
{
}

fn main() {}
