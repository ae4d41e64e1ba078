//! An agent works while its slow tools run in the background.
//!
//! ```text
//! cargo run --example quickstart
//! cargo run --example quickstart -- PATH
//! cargo run --example quickstart -- --model anthropic/claude-haiku-4-5
//! cargo run --example quickstart -- --inspect
//! ```
//!
//! The tools do real work on real files. No key and no network are needed: without a model, the built-in rule planner takes its place.

mod largest_files;
mod screen;
mod script;

use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_tool_runtime::{AsyncAgent, AsyncToolManager, agent::AgentEventStream, tools};
use clap::Parser;
use screen::Screen;
use shared::{
    assistant,
    chart::Chart,
    console::{columns, say, say_hanging},
    inspect::InspectArguments,
    model::{self, ModelArguments},
    pulse::Pulse,
    schedule::Comparison,
    story::Story,
    timeline::Timeline,
    tree::{Tree, TreeArguments},
};
use tokio::time::interval;

/// Interval between two drawings of the progress bars.
const REFRESH: Duration = Duration::from_millis(80);
/// Interval between two looks at the time since the last line, where no bars are drawn.
const PULSE: Duration = Duration::from_millis(500);

/// Shows an agent that works while its slow tools run.
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
    arguments.inspect.build("quickstart")?;
    let root = arguments.tree.root()?;
    let chosen = model::find(&arguments.model).await?;
    say(format_args!("model: {}", chosen.label));
    say(format_args!("tree:  {}", root.display()));
    say("tools: read these files; \"over 5 seconds\" spreads the reading, as from a slow disk\n");

    let manager = AsyncToolManager::builder()
        .tools(tools![largest_files::largest_files])
        .tools(shared::tools::all())
        .state(Tree::new(root))
        .concurrency(assistant::SLOTS)
        .build()?;
    let planner = assistant::planner().rule("name the {count} largest files", "largest_files");
    let agent = AsyncAgent::builder(chosen.or_planner(planner), manager)
        .system(assistant::SYSTEM)
        .session("quickstart")
        .start()
        .await?;

    let view = arguments.inspect.open("quickstart", &agent).await?;
    if let Some(view) = &view {
        view.wait_for_browser().await;
    }
    let watcher = tokio::spawn(watch(agent.events()));
    let played = script::play(&agent).await;
    agent.close().await?;
    let timeline = watcher.await.context("the events could not be followed")?;
    played?;

    let chart = Chart::new(&timeline, columns().unwrap_or(Chart::COLUMNS));
    say_hanging(format_args!("\nTimeline\n\n{chart}"), Chart::INDENT);
    say_hanging(
        format_args!(
            "How long it took, and would have taken\n\n{}",
            Comparison::of(&timeline)
        ),
        Comparison::INDENT,
    );
    match view {
        Some(view) => view.keep().await,
        None => Ok(()),
    }
}

/// Shows events as they come, and keeps them for the end.
async fn watch(mut events: AgentEventStream) -> Timeline {
    let mut timeline = Timeline::default();
    let mut story = Story::default();
    let mut screen = Screen::new();
    let mut pulse = Pulse::new(Instant::now());
    let mut refresh = interval(if screen.has_bars() { REFRESH } else { PULSE });
    loop {
        tokio::select! {
            event = events.next() => {
                let Some(event) = event else { break };
                timeline.observe(&event);
                let lines = story.tell(&event);
                screen.show(&event, &lines);
                pulse.observe(&event, lines.len(), Instant::now());
            }
            _ = refresh.tick() => {
                screen.refresh();
                if !screen.has_bars() && let Some(line) = pulse.line(Instant::now()) {
                    say(line);
                }
            }
        }
    }
    timeline
}
