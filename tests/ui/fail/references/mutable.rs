//! Tools don't take `&mut T`.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(number: &mut u8) {
    *number += 1;
}

fn main() {}
