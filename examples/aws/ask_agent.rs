//! A message to the agent in a function: `cargo run -p async-tool-aws-examples --example ask_agent`.

use std::{
    collections::HashSet,
    future::poll_fn,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use async_tool_runtime::{
    Journal as _, SessionId, TaskNo,
    journal::{Entry, Seq},
};
use aws::{Cloud, Names, Poller, exit, fault};
use aws_sdk_lambda::primitives::Blob;
use clap::Parser;
use serde::Deserialize;
use serde_json::{Value, json};

/// Pause between two looks at the journal.
const PAUSE: Duration = Duration::from_millis(200);

/// Sends a message to the agent in a function, and prints what it says, now and when its reports have come.
#[derive(Parser)]
struct Arguments {
    /// The message.
    #[arg(default_value = "order_report customer=ann")]
    message: String,
    /// Session of the user.
    #[arg(long, default_value = "ann")]
    session: String,
    /// Sends it through the queue, and waits for nothing.
    #[arg(long)]
    queue: bool,
    /// Seconds to wait for what the agent says later.
    #[arg(long, default_value_t = 60.0)]
    within: f64,
    #[command(flatten)]
    names: Names,
}

/// Answer of the function.
#[derive(Deserialize)]
struct Answer {
    said: Vec<String>,
    waits: Vec<TaskNo>,
    last: u64,
    appends: u32,
    ms: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(run(Arguments::parse()).await)
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let within = Duration::try_from_secs_f64(arguments.within)?;
    let cloud = Cloud::connect(arguments.names).await?;
    let message = json!({"session": arguments.session, "message": arguments.message});
    println!("user:  {}", arguments.message);
    if arguments.queue {
        return enqueue(&cloud, &message).await;
    }
    let function = cloud.names.agent();
    let invoke = cloud
        .lambda
        .invoke()
        .function_name(&function)
        .payload(Blob::new(message.to_string()));
    let answer = invoke
        .send()
        .await
        .map_err(|error| fault::tool_error(&cloud.place("function", &function), &error))?;
    let payload = answer.payload().map_or(&[][..], |payload| payload.as_ref());
    if answer.function_error().is_some() {
        let said: Value = serde_json::from_slice(payload).unwrap_or_default();
        if said["errorType"] == "Busy" {
            println!("agent: busy; the message is in the queue, from which it comes again");
            return enqueue(&cloud, &message).await;
        }
        return Err(fault::function_error(payload).into());
    }
    let answer: Answer = serde_json::from_slice(payload).context("the agent's answer can't be read")?;
    for text in &answer.said {
        println!("agent: {text}");
    }
    println!("       {} ms and {} appends", answer.ms, answer.appends);
    if answer.waits.is_empty() {
        return Ok(());
    }
    follow(&cloud, &arguments.session.into(), answer, within).await
}

async fn enqueue(cloud: &Cloud, message: &Value) -> anyhow::Result<()> {
    let inbox = Poller::open(cloud, cloud.names.inbox()).await?;
    let sent = cloud
        .sqs
        .send_message()
        .queue_url(inbox.url())
        .message_body(message.to_string())
        .send()
        .await;
    sent.map_err(|error| fault::tool_error(&cloud.place("queue", &cloud.names.inbox()), &error))?;
    Ok(())
}

/// Prints what the agent says until it was told all results. Reads the journal, and needs no agent for it.
async fn follow(cloud: &Cloud, session: &SessionId, answer: Answer, within: Duration) -> anyhow::Result<()> {
    let journal = aws::journal(cloud);
    let mut last = Seq::new(answer.last);
    let mut waits: HashSet<TaskNo> = answer.waits.into_iter().collect();
    let begun = Instant::now();
    while begun.elapsed() < within {
        let mut entries = journal.read(session, last);
        while let Some(entry) = poll_fn(|cx| entries.as_mut().poll_next(cx)).await {
            let (seq, entry) = entry?;
            last = seq;
            match entry {
                Entry::Delivered { tasks, .. } | Entry::Replaced { tasks, .. } | Entry::Dropped { tasks, .. } => {
                    waits.retain(|wait| !tasks.contains(wait));
                }
                Entry::TurnEnded { text, .. } if !text.is_empty() => {
                    println!("agent: {text}");
                    if waits.is_empty() {
                        println!("       {} ms after its first answer", begun.elapsed().as_millis());
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
        drop(entries);
        tokio::time::sleep(PAUSE).await;
    }
    bail!(
        "the agent was not told all results within {} s; its session goes on",
        within.as_secs_f64()
    )
}
