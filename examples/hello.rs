//! A tool, a manager and an agent: `cargo run --example hello`.

use std::{error::Error, time::Duration};

use async_tool_runtime::{AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner, async_tool, tools};
use tokio::time::sleep;

/// Brews a pot of tea.
#[async_tool]
async fn brew_tea(
    /// The kind of tea, such as `green`.
    kind: String,
) -> String {
    sleep(Duration::from_secs(2)).await;
    format!("a pot of {kind} tea")
}

/// Adds two numbers.
#[async_tool(effect = "read")]
fn add(a: i64, b: i64) -> i64 {
    a + b
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let manager = AsyncToolManager::builder().tools(tools![brew_tea, add]).build()?;
    // The planner stands in for a language model: it turns commands such as `add 40 2` into calls.
    let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;

    let mut events = agent.events();
    let printer = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match event.kind {
                AgentEventKind::UserMessage { text, .. } => println!("user:   {text}"),
                AgentEventKind::TurnEnded { text, .. } if !text.is_empty() => println!("agent:  {text}"),
                AgentEventKind::Acknowledged { number: task } => println!("event:  {task} continues in the background"),
                AgentEventKind::Settled { number: task, result } => {
                    println!("event:  {task} ({}) has ended", result.tool)
                }
                _ => {}
            }
        }
    });

    agent.send("brew_tea green").await?;
    // The tea takes two seconds; the agent answers the next question meanwhile.
    sleep(Duration::from_secs(1)).await;
    agent.send("add 40 2").await?;
    agent.run_until_idle().await?;
    agent.close().await?;
    printer.await?;
    Ok(())
}
