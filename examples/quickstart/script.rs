//! What the user says, and when.

use std::time::Duration;

use async_tool_runtime::AsyncAgent;
use tokio::time::sleep;

/// Plays the user's part of the session, and the host's.
pub(crate) async fn play(agent: &AsyncAgent) -> anyhow::Result<()> {
    // Three slow tools. They are acknowledged, and will end in the opposite order.
    agent
        .send("Hash every file over 5 seconds; count the lines over 3 seconds; search for TODO|unsafe over 2 seconds")
        .await?;
    sleep(Duration::from_millis(900)).await;

    // While they run: two quick tools, one of which fails, and a question. All are answered at once.
    agent.send("What is here? ; Read no-such-file.md ; Status").await?;
    sleep(Duration::from_millis(600)).await;

    // More work than there are slots: some of it waits.
    agent
        .send("Watch for changes; find duplicates over 2.5 seconds; run_program rustc_version")
        .await?;
    sleep(Duration::from_millis(1300)).await;

    // The watch would go on for ever. The host stops it; a user could, too.
    let tasks = agent.tasks().await?;
    let watch = tasks.iter().find(|task| &*task.call.name == "watch_tree");
    if let Some(watch) = watch {
        agent.cancel(watch.number, "the host has seen enough").await?;
    }

    agent.run_until_idle().await?;
    Ok(())
}
