//! A block has an attribute of its own.

use std::sync::Arc;

use async_tool_runtime::async_tool;

struct Service;

#[async_tool(effect = "read")]
impl Service {
    /// Works.
    #[async_tool]
    fn work(&self, #[arg(default = 1)] number: u8) -> u8 {
        number
    }
}

fn main() {
    let service = Arc::new(Service);
    let _ = (service.work(1), service.tools());
}
