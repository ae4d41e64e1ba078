//! The conversation: the actions of the user and of the host.

use std::{cell::Cell, future::ready};

use anyhow::{Context as _, bail};
use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, TaskNo,
    agent::{AgentError, AgentEventStream, RunError, RunLimits},
    context::PrunePolicy,
    tools,
};
use serde_json::Value;
use shared::model::{ModelName, Wanted, Wire, connect, is_set};
use tokio::time::{Duration, Instant, sleep, sleep_until};

use crate::{
    arguments::{Arguments, At},
    record::Record,
    tools::{get_weather, search},
};

const SYSTEM: &str = "You answer questions about the weather in cities and about what a small library says. Look things up with the tools, \
    and call all that you need at once. Tools may go on in the background: then say briefly what you wait for, and answer when the \
    results have come. Never make a result up.";

/// Pause before the first retry of a failed model call, unless the provider asks for a longer one.
const BACKOFF: Duration = Duration::from_millis(200);
/// Interval of polling, for a task that is to be cancelled and for a failure of the agent.
const GLANCE: Duration = Duration::from_millis(10);

/// Holds the conversation until all is done, and passes a line for each event to `print`.
///
/// # Errors
///
/// If the model can't be used or has failed permanently, a limit was reached, or a task to be cancelled never existed.
pub(crate) async fn hold(arguments: &Arguments, mut print: impl FnMut(Value) + Send + 'static) -> anyhow::Result<()> {
    let agent = match start(arguments).await {
        Ok(agent) => agent,
        Err(error) => {
            Record::default().end(Some(&error)).into_iter().for_each(print);
            return Err(error);
        }
    };
    let events = agent.events();
    let recording = tokio::spawn(async move { (record(events, &mut print).await, print) });
    let done = play(&agent, arguments).await;
    // Closing stops open tasks and ends the stream of events; the recording then prints the rest and returns.
    let closed = agent.close().await.context("can't close the session");
    let (record, print) = recording.await.context("the task that prints the events failed")?;
    let done = done.and(closed);
    record.end(done.as_ref().err()).into_iter().for_each(print);
    done
}

async fn start(arguments: &Arguments) -> anyhow::Result<AsyncAgent> {
    let name = ModelName::new(arguments.provider.name(), &arguments.model)?;
    let wanted = Wanted::named(name, arguments.base_url.as_deref(), is_set)?;
    let wire = Wire {
        stream: !arguments.no_stream,
        json_tools: arguments.json_tools,
        stall: arguments.stall,
    };
    let manager = AsyncToolManager::builder()
        .tools(tools![get_weather, search])
        .state(arguments.delays)
        .build()
        .context("can't set up the tools")?;
    let mut agent = AsyncAgent::builder(connect(&wanted, &wire)?, manager)
        .system(SYSTEM)
        .model_retries(arguments.retries, BACKOFF);
    if let Some(tokens) = arguments.prune {
        agent = agent.prune(PrunePolicy::new(tokens).with_keep_recent(1));
    }
    if let Some(tokens) = arguments.budget {
        agent = agent.limits(RunLimits::default().with_tokens(tokens));
    }
    if let Some(grace) = arguments.grace {
        agent = agent.grace(grace);
    }
    if let Some(ack) = arguments.ack {
        agent = agent.ack_policy(ack.into());
    }
    agent.start().await.context("can't start the agent")
}

/// Records all events.
async fn record(mut events: AgentEventStream, print: &mut impl FnMut(Value)) -> Record {
    let mut record = Record::default();
    while let Some(event) = events.next().await {
        record.tell(&event).into_iter().for_each(&mut *print);
    }
    record
}

/// Sends the messages and cancels the tasks of the command line, each at its time, and waits until all is done.
async fn play(agent: &AsyncAgent, arguments: &Arguments) -> anyhow::Result<()> {
    let began = Instant::now();
    agent.send(&arguments.prompt).await?;
    let all_is_said = Cell::new(false);
    let says = async {
        for say in in_order(&arguments.say) {
            sleep_until(began + say.after).await;
            agent.send(&say.what).await?;
        }
        all_is_said.set(true);
        anyhow::Ok(())
    };
    let cancels = async {
        for cancel in in_order(&arguments.cancel) {
            sleep_until(began + cancel.after).await;
            stop(agent, cancel.what, &all_is_said).await?;
        }
        anyhow::Ok(())
    };
    let script = async { tokio::try_join!(says, cancels).map(drop) };
    tokio::select! {
        biased;
        played = script => played?,
        error = failure(agent) => return Err(error.into()),
    }
    agent.run_until_idle().await?;
    Ok(())
}

/// Sorts actions by time. Actions at the same time keep the order of the command line.
fn in_order<T>(what: &[At<T>]) -> Vec<&At<T>> {
    let mut sorted: Vec<_> = what.iter().collect();
    sorted.sort_by_key(|at| at.after);
    sorted
}

/// Cancels a task as soon as it exists.
async fn stop(agent: &AsyncAgent, task: TaskNo, all_is_said: &Cell<bool>) -> anyhow::Result<()> {
    loop {
        match agent.cancel(task, "the host was told to cancel it").await {
            Err(AgentError::UnknownTask(_)) if all_is_said.get() && at_rest(agent).await.is_some() => {
                bail!("{task} can't be cancelled: the model made no such call")
            }
            Err(AgentError::UnknownTask(_)) => sleep(GLANCE).await,
            other => return other.map(drop).with_context(|| format!("{task} can't be cancelled")),
        }
    }
}

/// Waits until the agent has stopped for good: because of its model, a limit, or its journal. Further messages would be of no use.
async fn failure(agent: &AsyncAgent) -> RunError {
    loop {
        match at_rest(agent).await {
            Some(Err(error)) => return error,
            Some(Ok(())) | None => sleep(GLANCE).await,
        }
    }
}

/// Result of the run if the agent is idle; `None` while it works.
async fn at_rest(agent: &AsyncAgent) -> Option<Result<(), RunError>> {
    tokio::select! {
        biased;
        rest = agent.run_until_idle() => Some(rest),
        () = ready(()) => None,
    }
}
