//! Calls run on several threads.

use async_tool_runtime::async_tools;

struct Service {
    count: std::cell::Cell<u8>,
}

#[async_tools]
impl Service {
    /// Works.
    #[async_tool]
    async fn work(&self) -> u8 {
        self.count.get()
    }
}

fn main() {}
