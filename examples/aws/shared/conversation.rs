//! A conversation in a terminal.

use std::process::ExitCode;

use anyhow::bail;
use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner, TaskOutcome, agent::AgentEventStream,
};
use tokio::sync::oneshot;

use crate::Poller;

/// Starts an agent, sends it a message with these calls, prints what follows, and closes the session when the agent is idle. Meanwhile, the
/// messages of a queue complete its tasks.
///
/// # Errors
///
/// The first failure of a tool, or the failure of the agent or of the queue.
pub async fn converse(
    manager: AsyncToolManager,
    calls: impl IntoIterator<Item = String>,
    queue: Option<&Poller>,
) -> anyhow::Result<()> {
    let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
    let message = calls.into_iter().collect::<Vec<_>>().join("; ");
    let narrator = tokio::spawn(narrate(agent.events()));
    println!("user:  {message}");
    agent.send(message).await?;
    match queue {
        None => agent.run_until_idle().await?,
        Some(queue) => {
            let (idle, is_idle) = oneshot::channel::<()>();
            let rest = async {
                let rest = agent.run_until_idle().await;
                drop(idle);
                anyhow::Ok(rest?)
            };
            let polling = async { anyhow::Ok(queue.run(agent.manager(), async { drop(is_idle.await) }).await?) };
            tokio::try_join!(rest, polling)?;
        }
    }
    agent.close().await?;
    narrator.await?
}

async fn narrate(mut events: AgentEventStream) -> anyhow::Result<()> {
    while let Some(event) = events.next().await {
        match event.kind {
            AgentEventKind::Called { number, call, .. } => println!("{number}:    {} {}", call.name, call.arguments),
            AgentEventKind::Deferred { number, .. } => println!("{number}:    waits for a message"),
            AgentEventKind::Settled { number, result } => match &result.outcome {
                TaskOutcome::Completed(value) => {
                    let took = result.timing.settled.since(result.timing.accepted).as_millis();
                    println!("{number}:    {value} after {took} ms");
                }
                TaskOutcome::Failed(error) => bail!("{}", error.message()),
                TaskOutcome::Unknown(why) | TaskOutcome::Cancelled(why) => bail!("{why}"),
                other => bail!("{other:?}"),
            },
            AgentEventKind::TurnEnded { text, .. } if !text.is_empty() => println!("agent: {text}"),
            _ => {}
        }
    }
    Ok(())
}

/// Exit status of a program. Prints an error in one line.
#[must_use]
pub fn exit(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
