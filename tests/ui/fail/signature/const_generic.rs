//! Tools aren't generic over constants either.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work<const N: usize>(_numbers: [u8; 3]) -> usize {
    N
}

fn main() {}
