//! A task whose result comes later, from outside its tool: `cargo run --example result_later`.

use std::{error::Error, time::Duration};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner, TaskId, ToolContext, async_tool, tool, tools,
};
use tokio::{sync::mpsc, time::sleep};

type Bookings = mpsc::UnboundedSender<TaskId>;

/// Books a table at the restaurant.
#[async_tool]
async fn book_table(
    guests: u32,
    #[inject] bookings: tool::State<Bookings>,
    #[inject] cx: ToolContext,
) -> Result<String, String> {
    println!("tool:       sends a booking for {guests}");
    bookings.send(cx.task()).map_err(|_| "the restaurant is closed")?;
    // Ends the function. The task stays open, without a thread or a slot, until its result comes.
    cx.defer().await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (bookings, mut received): (Bookings, _) = mpsc::unbounded_channel();
    let manager = AsyncToolManager::builder()
        .tools(tools![book_table])
        .state(bookings)
        .build()?;
    // The restaurant answers with the id of the task, as a webhook would.
    let webhook = manager.clone();
    tokio::spawn(async move {
        while let Some(task) = received.recv().await {
            sleep(Duration::from_secs(2)).await;
            println!("restaurant: confirms the booking");
            webhook.resolve(task, "table 7 at 8 pm").expect("the task is open");
        }
    });

    let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
    let mut events = agent.events();
    let printer = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match event.kind {
                AgentEventKind::UserMessage { text, .. } => println!("user:       {text}"),
                AgentEventKind::TurnEnded { text, .. } if !text.is_empty() => println!("agent:      {text}"),
                AgentEventKind::Deferred { number: task, .. } => {
                    println!("event:      {task} waits for its result from outside")
                }
                _ => {}
            }
        }
    });
    agent.send("book_table guests=4").await?;
    agent.run_until_idle().await?;
    agent.close().await?;
    printer.await?;
    Ok(())
}
