//! Tools aren't generic.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work<T: Into<u8>>(number: T) -> u8 {
    number.into()
}

fn main() {
    let _ = (work::tool(), work(1_u8));
}
