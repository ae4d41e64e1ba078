//! A conversation with an agent whose tools run while you type.
//!
//! ```text
//! cargo run --example chat
//! cargo run --example chat -- PATH
//! cargo run --example chat -- --model ollama/qwen3
//! echo 'count the lines' | cargo run --example chat
//! ```
//!
//! Without a model, the built-in rule planner takes its place: it knows a few sentences and the names of the tools.

mod command;
mod input;

use std::path::PathBuf;

use anyhow::Context as _;
use async_tool_runtime::{AsyncAgent, agent::AgentEventStream};
use clap::Parser;
use command::Command;
use input::{Input, Said};
use shared::{
    assistant,
    console::say,
    model::{self, ModelArguments},
    story::Story,
    tree::default_root,
};

/// Chats with an agent that works while its slow tools run.
#[derive(Parser)]
struct Arguments {
    /// The directory tree to work on. Default: the repository of this program.
    path: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArguments,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let root = match arguments.path {
        Some(path) => path,
        None => default_root()?,
    };
    let chosen = model::find(&arguments.model).await?;
    say(format_args!("model: {}", chosen.label));
    say(format_args!("tree:  {}", root.display()));
    say(format_args!("{}\n", Command::HELP));

    let agent = assistant::start(&root, chosen.or_planner(assistant::planner())).await?;
    let teller = tokio::spawn(tell(agent.events()));
    talk(&agent).await?;
    agent.close().await?;
    teller.await.context("the task that prints the events failed")?;
    Ok(())
}

/// Carries out the user's commands until the input ends or the user quits.
async fn talk(agent: &AsyncAgent) -> anyhow::Result<()> {
    let mut input = Input::open();
    let mut wants_to_quit = false;
    loop {
        match input.next().await {
            Said::Line(line) => {
                wants_to_quit = false;
                if !Command::parse(&line).obey(agent).await? {
                    return Ok(());
                }
            }
            Said::Interrupt if wants_to_quit => return Ok(()),
            Said::Interrupt => {
                wants_to_quit = true;
                say("press ctrl-c again to quit; that stops running tasks");
            }
            Said::End => break,
        }
    }
    // After the end of the input, open tasks are completed, unless the user presses ctrl-c.
    tokio::select! {
        rest = agent.run_until_idle() => rest?,
        () = input.interrupted() => {}
    }
    Ok(())
}

/// Prints events as they come.
async fn tell(mut events: AgentEventStream) {
    let mut story = Story::default();
    while let Some(event) = events.next().await {
        for line in story.tell(&event) {
            say(line);
        }
    }
}
