//! There is something to collect, by that name alone.

use async_tool_runtime::async_tools;

struct Service;

#[async_tools(name = "service")]
impl Service {
    fn tools(&self) {}
}

fn main() {}
