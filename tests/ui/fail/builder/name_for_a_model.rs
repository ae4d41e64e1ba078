//! A builder of agents takes a model, not its name.

use async_tool_runtime::{AsyncAgent, AsyncToolManager};

fn main() {
    let manager = AsyncToolManager::builder().build().unwrap();
    let _ = AsyncAgent::builder("gpt-5.2", manager);
}
