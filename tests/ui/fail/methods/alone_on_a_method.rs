//! Methods are collected by their `impl`.

use async_tool_runtime::async_tool;

struct Service;

impl Service {
    /// Works.
    #[async_tool]
    fn work(&self, #[arg(default = 1)] number: u8) -> u8 {
        number
    }
}

fn main() {
    Service.work(1);
}
