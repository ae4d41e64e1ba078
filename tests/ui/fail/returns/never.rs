//! Tools return.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work() -> ! {
    loop {}
}

fn main() {}
