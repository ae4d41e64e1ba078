//! A conversation with an agent whose tools run while you type.
//!
//! ```text
//! cargo run --example chat
//! cargo run --example chat -- PATH
//! cargo run --example chat -- --model ollama/qwen3
//! cargo run --example chat -- --inspect
//! echo 'count the lines' | cargo run --example chat
//! ```
//!
//! Without a model, the built-in rule planner takes its place: it knows a few sentences and the names of the tools.

mod command;
mod editor;
mod input;

use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_tool_runtime::{AsyncAgent, agent::AgentEventStream};
use clap::Parser;
use command::Command;
use editor::LineEditor;
use input::{Input, Said};
use shared::{
    assistant,
    console::{columns, say, say_hanging},
    inspect::InspectArguments,
    model::{self, ModelArguments},
    pulse::Pulse,
    story::Story,
    tree::TreeArguments,
};
use tokio::time::interval;

/// Interval between two looks at the time since the last line, where the output is no terminal.
const PULSE: Duration = Duration::from_millis(500);

/// Chats with an agent that works while its slow tools run.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    tree: TreeArguments,
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    inspect: InspectArguments,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    arguments.inspect.build("chat")?;
    let root = arguments.tree.root()?;
    // First of all, so that keys which are pressed from now on are not shown twice.
    let editor = LineEditor::open()?;
    let story = match &editor {
        Some(_) => Story::for_the_typist(),
        None => Story::default(),
    };
    let mut input = Input::open(editor);
    let chosen = model::find(&arguments.model).await?;
    say(format_args!("model: {}", chosen.label));
    say(format_args!("tree:  {}", root.display()));
    say_hanging(format_args!("{}\n", Command::HELP), Command::INDENT);

    let agent = assistant::start(&root, chosen.or_planner(assistant::planner())).await?;
    let _view = arguments.inspect.open("chat", &agent).await?;
    let teller = tokio::spawn(tell(agent.events(), story));
    talk(&agent, &mut input).await?;
    let end = async {
        agent.close().await?;
        teller.await.context("the task that prints the events failed")
    };
    // A further ctrl-c leaves without the rest.
    input.during(end).await.unwrap_or(Ok(()))
}

/// Carries out the user's commands until the input ends or the user quits.
async fn talk(agent: &AsyncAgent, input: &mut Input) -> anyhow::Result<()> {
    let mut wants_to_quit = false;
    loop {
        match input.next().await {
            Said::Line(line) => {
                wants_to_quit = false;
                if !Command::parse(&line).obey(agent).await? {
                    return Ok(());
                }
            }
            Said::Interrupt => match agent.interrupt().await? {
                // The event of the interruption is printed.
                Some(_turn) => wants_to_quit = false,
                None if wants_to_quit => return Ok(()),
                None => {
                    wants_to_quit = true;
                    say("press ctrl-c again to quit; that stops running tasks");
                }
            },
            Said::End => break,
        }
    }
    // After the end of the input, open tasks are completed, unless the user presses ctrl-c.
    if let Some(rest) = input.during(agent.run_until_idle()).await {
        rest?;
    }
    Ok(())
}

/// Prints events as they come; into a pipe also a sign of life, if there are none for some seconds.
async fn tell(mut events: AgentEventStream, mut story: Story) {
    let mut pulse = Pulse::new(Instant::now());
    let has_pulse = columns().is_none();
    let mut look = interval(PULSE);
    loop {
        tokio::select! {
            event = events.next() => {
                let Some(event) = event else { break };
                let lines = story.tell(&event);
                pulse.observe(&event, lines.len(), Instant::now());
                if !lines.is_empty() {
                    say_hanging(lines.join("\n"), Story::INDENT);
                }
            }
            _ = look.tick(), if has_pulse => {
                if let Some(line) = pulse.line(Instant::now()) {
                    say(line);
                }
            }
        }
    }
}
