//! A function with `Self` is collected by its `impl`.

use async_tool_runtime::async_tool;

struct Service;

impl Service {
    const NUMBER: u8 = 1;

    /// Works.
    #[async_tool]
    fn work(number: u8) -> u8 {
        number + Self::NUMBER
    }
}

fn main() {
    Service::work(1);
}
