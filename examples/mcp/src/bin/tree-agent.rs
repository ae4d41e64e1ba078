//! The quickstart's agent with the tools of an MCP server.
//!
//! ```text
//! cargo run -p async-tool-mcp-example --bin tree-agent -- SERVER [MESSAGE]...
//! ```
//!
//! SERVER is a URL, or a command in quotes. Without messages, the lines of the standard input are the messages. No key and no network are needed:
//! without a model, the built-in rule planner takes its place, which understands calls: `slow_compute seconds=2 label=tea`.

use anyhow::Context as _;
use async_tool_mcp::{McpClient, McpEvent, McpEvents};
use async_tool_runtime::{AgentEventKind, AsyncAgent, AsyncToolManager, agent::AgentEventStream, tool::InputRequest};
use clap::Parser;
use shared::{
    assistant,
    console::say,
    model::{self, ModelArguments},
    story::Story,
};
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};

/// Talks to an agent whose tools are those of an MCP server.
#[derive(Parser)]
struct Arguments {
    /// URL of the server, or the command that starts it.
    server: String,
    /// Messages to the agent.
    messages: Vec<String>,
    #[command(flatten)]
    model: ModelArguments,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let chosen = model::find(&arguments.model).await?;
    say(format_args!("model: {}", chosen.label));
    let client = McpClient::connect(arguments.server).await?;
    let tools = client.tools();
    let names: Vec<_> = tools.iter().map(|tool| tool.definition().name.to_string()).collect();
    say(format_args!("tools: {}\n", names.join(", ")));

    // From here on, nothing tells a remote tool from a local one.
    let manager = AsyncToolManager::builder().tools(tools).build()?;
    let agent = AsyncAgent::builder(chosen.or_planner(assistant::planner()), manager.clone())
        .system("You help a user with the tools that you have. Say briefly what runs, and report each result when it comes.")
        .start()
        .await?;
    let told = tokio::spawn(tell(agent.events(), manager));
    let server = tokio::spawn(report(client.events()));

    let mut lines = BufReader::new(stdin()).lines();
    if arguments.messages.is_empty() {
        while let Some(line) = lines.next_line().await? {
            agent.send(line).await?;
        }
    }
    for message in arguments.messages {
        agent.send(message).await?;
    }
    agent.run_until_idle().await?;
    agent.close().await?;
    server.abort();
    told.await.context("the events could not be followed")
}

/// Tells the events of the agent. Questions of tools are refused, because the input is for messages.
async fn tell(mut events: AgentEventStream, manager: AsyncToolManager) {
    let mut story = Story::default();
    while let Some(event) = events.next().await {
        for line in story.tell(&event) {
            say(line);
        }
        if let AgentEventKind::InputRequired {
            asking,
            request: Some(InputRequest::Input { .. }),
            ..
        } = event.kind
        {
            let _it_may_have_ended = manager.refuse(asking, "this program answers no questions");
        }
    }
}

/// Reports the news of the server.
async fn report(mut events: McpEvents) {
    while let Some(event) = events.next().await {
        match event {
            McpEvent::Lost { reason, .. } => say(format_args!("the server is gone: {reason}")),
            McpEvent::Back { .. } => say("the server is back"),
            other => say(format_args!("{other:?}")),
        }
    }
}
