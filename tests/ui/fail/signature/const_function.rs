//! Tools aren't `const`.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
const fn work() {}

const _: () = work();

fn main() {}
