//! An agent at work, in the browser: `cargo run -p async-tool-inspector --example show`, then open the address that it prints.
//!
//! ```text
//! cargo run -p async-tool-inspector --example show -- --journal office.db    # kill it and start it again: the session goes on
//! cargo run -p async-tool-inspector --example show -- --crowd 10000          # a second session with very many tasks
//! cargo run -p async-tool-inspector --example show -- --read-only
//! ```
//!
//! The agent is a travel office. Its tools report progress, ask, wait for results from outside, fail, try again and have children. Write
//! `help` into the page's field for messages to see the commands.

mod arguments;
mod clerk;
mod crowd;
mod office;

use std::{error::Error, time::Duration};

use async_tool_inspector::Inspector;
use async_tool_runtime::{AsyncAgent, AsyncToolManager, Journal, context::PrunePolicy, journal::MemoryJournal, tools};
use async_tool_sqlite::SqliteJournal;
use tokio::time::sleep;

use crate::{arguments::Arguments, clerk::Clerk};

/// Messages of the user at the start, with the pauses after them.
const SCRIPT: [(&str, Duration); 3] = [
    (
        "Find out about bees in 6 seconds; is tea better than coffee; look_up honey; look_up wax; look_up honey",
        Duration::from_millis(2_500),
    ),
    (
        "weigh parcel; write diary one; write diary two; status",
        Duration::from_millis(2_500),
    ),
    (
        "book_table guests=4; order_taxi \"Main Street 1\"; send_letter Bob; fax 555",
        Duration::ZERO,
    ),
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse()?;
    match &arguments.journal {
        Some(file) => run(&arguments, SqliteJournal::open(file)?).await,
        None => run(&arguments, std::sync::Arc::new(MemoryJournal::new())).await,
    }
}

async fn run<J: Journal + Clone>(arguments: &Arguments, journal: J) -> Result<(), Box<dyn Error>> {
    let manager = AsyncToolManager::builder()
        .tools(tools![
            office::research,
            office::compare,
            office::look_up,
            office::weigh,
            office::proofread,
            office::write,
            office::book_table,
            office::order_taxi,
            office::send_letter,
            office::fax,
            office::repeat,
            office::write_page,
            crowd::tick
        ])
        .concurrency(arguments.slots)
        .build()?;
    let agent = AsyncAgent::builder(Clerk::new(), manager.clone())
        .system("You run a small travel office. Do what the user asks, and report results as they come.")
        .session("office")
        .journal(journal.clone())
        .prune(PrunePolicy::new(arguments.budget))
        .resume_or_start()
        .await?;
    let mut inspector = Inspector::new()
        .title("travel office")
        .manager(&manager)
        .agent(&agent)
        .journal(&journal)
        .read_only(arguments.read_only);
    if let Some(secret) = &arguments.secret {
        inspector = inspector.secret(secret.as_bytes());
    }
    let crowd = match arguments.crowd {
        0 => None,
        _ => Some(crowd::start(&manager).await?),
    };
    if let Some(crowd) = &crowd {
        inspector = inspector.agent(crowd);
    }
    let server = inspector.serve_quietly(arguments.listen).await?;
    // On the standard output: a program that starts this one reads the address there.
    println!("open {}", server.link());

    if agent.resumption().is_none() && !arguments.quiet {
        for (message, pause) in SCRIPT {
            agent.send(message).await?;
            sleep(pause).await;
        }
    }
    if let Some(crowd) = &crowd {
        crowd::play(crowd, arguments.crowd).await?;
        println!("the crowd is done");
    }
    tokio::signal::ctrl_c().await?;
    agent.leave().await?;
    server.stop();
    Ok(())
}
