//! A function of an `impl` block or a trait is collected by its block, also if nothing in it says where it is.

use async_tool_runtime::async_tool;

struct Service;

impl Service {
    const NUMBER: u8 = 1;

    /// Works.
    #[async_tool]
    fn work(number: u8) -> u8 {
        number + Self::NUMBER
    }

    /// Says nothing of its type.
    #[async_tool(effect = "read")]
    async fn count(#[arg(default = 5)] number: u8) -> u8 {
        number
    }
}

trait Rest {
    /// Rests.
    #[async_tool]
    fn rest(hours: u8) -> u8 {
        hours
    }
}

mod inner {
    use async_tool_runtime::async_tool;

    /// Is free.
    #[async_tool]
    pub fn free(number: u8) -> u8 {
        number
    }
}

fn main() {
    Service::work(1);
    let _ = inner::free::tool();
}
