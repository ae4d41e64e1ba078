//! Tools are methods of the type's own.

use async_tool_runtime::async_tools;

trait Work {
    fn work(&self, number: u8);
}

struct Service;

#[async_tools]
impl Work for Service {
    /// Works.
    #[async_tool]
    fn work(&self, #[arg(default)] _number: u8) {}
}

fn main() {
    Service.work(1);
}
