//! Script of the user: messages and their times.

use std::{future::ready, time::Duration};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, TaskNo,
    agent::{AgentEventStream, RunError},
};
use tokio::time::sleep;

/// Time after which the host cancels a watch.
const WATCHED: Duration = Duration::from_millis(1300);

/// Plays the user's part of the session, and the host's.
pub(crate) async fn play(agent: &AsyncAgent) -> anyhow::Result<()> {
    let events = agent.events();

    // Three slow tools. They are acknowledged, and will end in the opposite order.
    agent
        .send("Hash every file over 5 seconds; count the lines over 3 seconds; search for TODO|unsafe over 2 seconds")
        .await?;
    pause(agent, Duration::from_millis(900)).await?;

    // While they run: quick tools, one of which fails, and a question. All are answered at once.
    agent
        .send("What is here? ; name the 2 largest files; Read no-such-file.md ; Status")
        .await?;
    pause(agent, Duration::from_millis(600)).await?;

    // More work than there are slots: some of it waits.
    agent
        .send("Watch for changes; find duplicates over 2.5 seconds; run_program rustc_version")
        .await?;

    // The watch would go on for ever. The host stops it; a user could, too.
    tokio::select! {
        rest = agent.run_until_idle() => rest?,
        stopped = stop_watches(agent, events) => stopped?,
    }
    Ok(())
}

/// Lets the agent work for this time; fails early if the model has failed.
async fn pause(agent: &AsyncAgent, time: Duration) -> Result<(), RunError> {
    sleep(time).await;
    tokio::select! {
        biased;
        rest = agent.run_until_idle() => rest,
        () = ready(()) => Ok(()),
    }
}

/// Stops every watch some time after it was asked for. A language model asks for it when it comes to it, and perhaps twice.
async fn stop_watches(agent: &AsyncAgent, mut events: AgentEventStream) -> anyhow::Result<()> {
    while let Some(event) = events.next().await {
        if let AgentEventKind::Called { number, call, .. } = event.kind
            && &*call.name == "watch_tree"
        {
            stop_later(agent.clone(), number);
        }
    }
    Ok(())
}

fn stop_later(agent: AsyncAgent, watch: TaskNo) {
    tokio::spawn(async move {
        sleep(WATCHED).await;
        // If the session is over by then, so is the watch.
        let _is_over = agent.cancel(watch, "the host has seen enough").await;
    });
}
