//! The future of a method is `Send` too.

use async_tool_runtime::async_tools;

struct Service;

#[async_tools]
impl Service {
    /// Works.
    #[async_tool]
    async fn work(&self) -> u8 {
        let held = std::rc::Rc::new(5);
        std::future::ready(()).await;
        *held
    }
}

fn main() {}
