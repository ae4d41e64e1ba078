//! An agent that hops from process to process: `cargo run -p async-tool-aws-examples --example hop -- order`, then `… -- deliver`.

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::bail;
use async_tool_dynamodb::DynamoJournal;
use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, SessionId, tools};
use aws::{
    Cloud, Completion, Counted, Host, Names, News, Poller, Settled, Visit, exit,
    tools::{Reports, order_report},
};
use clap::{Parser, Subcommand};

/// Longest visit.
const VISIT: Duration = Duration::from_secs(60);

/// Two processes with one session: the first orders a report and ends, the second delivers it.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    step: Step,
    #[command(flatten)]
    names: Names,
}

#[derive(Subcommand)]
enum Step {
    /// Orders a report, leaves the session and ends.
    Order {
        /// Customer to report on.
        #[arg(default_value = "ann")]
        customer: String,
        /// Session of the user.
        #[arg(long, default_value = "hop")]
        session: String,
        /// Seconds after which the report isn't waited for any more.
        #[arg(long, default_value_t = 300.0)]
        within: f64,
    },
    /// Waits for a message, takes its session up, delivers the result, leaves the session and ends.
    Deliver {
        /// Seconds to wait for the message.
        #[arg(long, default_value_t = 60.0)]
        wait: f64,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(run(Arguments::parse()).await)
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let cloud = Cloud::connect(arguments.names).await?;
    let poller = Poller::open(&cloud, cloud.names.completions()).await?;
    match arguments.step {
        Step::Order {
            customer,
            session,
            within,
        } => {
            let within = Duration::try_from_secs_f64(within)?;
            let message = format!("order_report customer={customer}");
            println!("user:  {message}");
            hop(&cloud, &poller, within, &session.into(), News::Message(message, None)).await?;
            Ok(())
        }
        Step::Deliver { wait } => deliver(&cloud, &poller, Duration::try_from_secs_f64(wait)?).await,
    }
}

/// Delivers the next completion of a session in the journal.
async fn deliver(cloud: &Cloud, poller: &Poller, wait: Duration) -> anyhow::Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < wait {
        for message in poller.receive(wait - begun.elapsed().min(wait), None).await? {
            let completion = match Completion::read(&message.body) {
                Ok(completion) => completion,
                Err(why) => {
                    eprintln!("a message stays in the queue: {why}");
                    poller.let_go(&message).await;
                    continue;
                }
            };
            println!("queue: a message for session `{}`", completion.session);
            let session = completion.session.clone();
            // The deadline of the task is in the journal; this one is for orders of this process, which makes none.
            match hop(cloud, poller, VISIT, &session, News::Completion(completion)).await {
                Ok(visit) => {
                    // Now the journal has the delivery, so the message isn't needed any more.
                    poller.delete(&message).await?;
                    if visit.settled == Some(Settled::First) {
                        return Ok(());
                    }
                    println!("       the task had ended before");
                }
                Err(error) if !error.must_come_again() => {
                    eprintln!("the message is for nothing that is left: {error}");
                    poller.delete(&message).await?;
                }
                Err(error) => {
                    poller.let_go(&message).await;
                    return Err(error.into());
                }
            }
        }
    }
    bail!("no message came within {} s", wait.as_secs_f64())
}

/// One visit of a new agent to a session.
async fn hop(
    cloud: &Cloud,
    poller: &Poller,
    within: Duration,
    session: &SessionId,
    news: News,
) -> Result<Visit, aws::VisitError> {
    let begun = Instant::now();
    let journal: Counted<DynamoJournal> = Counted::new(aws::journal(cloud));
    let manager = AsyncToolManager::builder()
        .tools(tools![order_report])
        .state(cloud.clone())
        .state(Reports {
            function: cloud.names.report(),
            reply_to: poller.url().to_owned(),
            within,
        })
        .build()
        .map_err(|error| aws::VisitError::Failed(error.to_string()))?;
    let host = Host {
        agent: AsyncAgent::builder(RulePlanner::new(), manager.clone()),
        manager,
        journal: Arc::new(journal.clone()),
    };
    let visit = host.visit(session, &news, tokio::time::Instant::now() + VISIT).await?;
    for text in &visit.said {
        println!("agent: {text}");
    }
    let waits: Vec<String> = visit.parked.waits.iter().map(|wait| wait.number.to_string()).collect();
    let waits = if waits.is_empty() {
        "nothing".to_owned()
    } else {
        waits.join(", ")
    };
    let (ms, appends) = (begun.elapsed().as_millis(), journal.appends());
    println!("       left after {ms} ms and {appends} appends; the session waits for {waits}");
    Ok(visit)
}
