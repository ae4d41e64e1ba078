//! A session with very many tasks.

use std::{error::Error, fmt::Write as _, time::Duration};

use async_tool_runtime::{AsyncAgent, AsyncToolManager, async_tool};
use tokio::time::sleep;

use crate::clerk::Clerk;

/// Calls of a message.
const BATCH: usize = 100;

/// Waits for some milliseconds.
#[async_tool(effect = "read", concurrency = 200, dedupe = "allow")]
pub(crate) async fn tick(number: u64, milliseconds: u64) -> u64 {
    sleep(Duration::from_millis(milliseconds)).await;
    number
}

/// Starts the agent of the session.
pub(crate) async fn start(manager: &AsyncToolManager) -> Result<AsyncAgent, Box<dyn Error>> {
    let agent = AsyncAgent::builder(Clerk::quick(), manager.clone()).session("crowd");
    Ok(agent.start().await?)
}

/// Sends messages with as many calls in all.
pub(crate) async fn play(agent: &AsyncAgent, tasks: usize) -> Result<(), Box<dyn Error>> {
    let mut next = 0;
    while next < tasks {
        let mut message = String::new();
        let end = tasks.min(next + BATCH);
        for number in next..end {
            write!(message, "tick {number} {};", 50 + number * 7 % 400)?;
        }
        next = end;
        agent.send(message).await?;
        agent.run_until_idle().await?;
    }
    Ok(())
}
