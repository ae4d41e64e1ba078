//! A value held across an await can move between threads.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
async fn work() -> u8 {
    let held = std::rc::Rc::new(1);
    std::future::ready(()).await;
    *held
}

fn main() {}
