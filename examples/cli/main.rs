//! A command-line agent with progress bars: `cargo run --example cli`. Type `download bees.csv`, and go on typing.

use std::{collections::HashMap, time::Duration};

use anyhow::Context as _;
use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner, ToolContext, agent::AgentEventStream, async_tool, tools,
};
use clap::Parser;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use shared::model::{self, ModelArguments};
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};

/// Downloads a file, in some seconds.
#[async_tool(effect = "read", background = "always")]
async fn download(file: String, #[inject] cx: ToolContext) -> String {
    for part in 1..=20_u8 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let done = f64::from(part) / 20.0;
        cx.progress().report(done, format!("part {part} of 20"));
    }
    format!("{file} is here")
}

/// Talks with you while it downloads files.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let model = model::find(&Arguments::parse().model).await?;
    println!("model: {}", model.label);
    let manager = AsyncToolManager::builder().tools(tools![download]).build()?;
    let agent = AsyncAgent::builder(model.or_planner(RulePlanner::new()), manager);
    let agent = agent.start().await?;
    let screen = tokio::spawn(show(agent.events()));
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        agent.send(line).await?;
    }
    agent.run_until_idle().await?;
    agent.close().await?;
    screen.await.context("the task that shows events failed")?
}

/// Shows a bar for each running task, and all texts above the bars.
async fn show(mut events: AgentEventStream) -> anyhow::Result<()> {
    let style = ProgressStyle::with_template("{prefix:16} {wide_bar} {msg:14}")?;
    let (screen, mut bars) = (MultiProgress::new(), HashMap::new());
    // Without a terminal there are no bars, and the texts are printed all the same.
    let say = |text: String| screen.suspend(|| println!("{text}"));
    while let Some(event) = events.next().await {
        match event.kind {
            AgentEventKind::TurnEnded { text, .. } if !text.is_empty() => say(text),
            AgentEventKind::ModelFailed { error, .. } => say(format!("the model failed: {error}")),
            AgentEventKind::Called { number, call, .. } => {
                let bar = ProgressBar::new(100).with_style(style.clone());
                bars.insert(number, screen.add(bar.with_prefix(format!("{number} {}", call.name))));
            }
            AgentEventKind::Progressed { number, report } => {
                if let (Some(bar), Some(fraction)) = (bars.get(&number), report.fraction) {
                    bar.set_position((fraction * 100.0) as u64);
                    bar.set_message(report.message);
                }
            }
            AgentEventKind::Settled { number, result } => {
                if let Some(bar) = bars.remove(&number) {
                    bar.finish_and_clear();
                }
                say(format!("{number} {} {}", result.tool, result.status().as_str()));
            }
            _ => {}
        }
    }
    Ok(())
}
