//! Calls one tool of an MCP server, as an agent would, and prints how the call ended.
//!
//! ```text
//! cargo run -p async-tool-mcp --example call -- SERVER TOOL JSON [--cancel-after-ms N] [--answer JSON]...
//! ```
//!
//! SERVER is a URL, or a command in quotes. The tool's questions get the answers of `--answer`, then the lines of the standard input (JSON);
//! without one they are refused. The last line is `{"outcome": …, "text": …}`, with the outcome `completed`, `failed`, `cancelled` or `unknown`.

use std::{collections::VecDeque, error::Error, process::ExitCode, time::Duration};

use async_tool_mcp::{McpClient, McpConnectError};
use async_tool_runtime::{
    AsyncToolManager, SessionId, TaskEvent, TaskOutcome, ToolCall,
    manager::TaskHandle,
    tool::{InputRequest, ToolRegistry},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, stdin},
    time::sleep,
};

const USAGE: &str = "usage: call SERVER TOOL JSON [--cancel-after-ms N] [--answer JSON]...";

struct Options {
    server: String,
    tool: String,
    arguments: Value,
    cancel_after: Option<Duration>,
    answers: VecDeque<Value>,
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().ok_or(USAGE);
    let (server, tool, arguments) = (next()?, next()?, next()?);
    let arguments = serde_json::from_str(&arguments).map_err(|error| format!("JSON: {error}"))?;
    let mut options = Options {
        server,
        tool,
        arguments,
        cancel_after: None,
        answers: VecDeque::new(),
    };
    while let Some(flag) = args.next() {
        let value = args.next().ok_or(USAGE)?;
        match &*flag {
            "--cancel-after-ms" => options.cancel_after = Some(Duration::from_millis(value.parse()?)),
            "--answer" => options.answers.push_back(serde_json::from_str(&value)?),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    match call(options).await {
        Ok((outcome, text)) => {
            println!("{}", json!({"outcome": outcome, "text": text}));
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{}", json!({"outcome": "failed", "text": error.to_string()}));
            ExitCode::FAILURE
        }
    }
}

async fn call(mut options: Options) -> Result<(&'static str, String), Box<dyn Error>> {
    let client: McpClient = McpClient::connect(options.server)
        .await
        .map_err(|error: McpConnectError| error)?;
    let manager = AsyncToolManager::builder().tools(client.tools()).build()?;
    let mut events = manager.events();
    let call = ToolCall::new("call_1", options.tool, options.arguments);
    let registry: &ToolRegistry = manager.registry();
    if registry.find(&call.name).is_none() {
        let names: Vec<_> = registry
            .definitions()
            .iter()
            .map(|tool| tool.name.to_string())
            .collect();
        return Err(format!("the server has no tool `{}`; it has {}", call.name, names.join(", ")).into());
    }
    let task: TaskHandle = manager.submit(&SessionId::new("call"), call)?;
    let mut lines = BufReader::new(stdin()).lines();
    let cancel = async {
        match options.cancel_after {
            Some(after) => sleep(after).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(cancel);
    let mut is_cancelled = false;
    let result = loop {
        tokio::select! {
            result = task.outcome() => break result,
            () = &mut cancel, if !is_cancelled => {
                is_cancelled = true;
                task.cancel("the time is up");
            }
            Some(event) = events.next() => match event {
                TaskEvent::Progressed(snapshot) => {
                    if let Some(report) = snapshot.progress {
                        let percent = report.fraction.map_or_else(String::new, |fraction| format!("{:3.0} % ", fraction * 100.0));
                        eprintln!("{percent}{}", report.message);
                    }
                }
                TaskEvent::InputRequired(snapshot) => {
                    let Some(InputRequest::Input { prompt, schema }) = snapshot.request else { continue };
                    eprintln!("{prompt}\n{schema}");
                    let answer = match options.answers.pop_front() {
                        Some(answer) => Some(answer),
                        None => lines.next_line().await?.and_then(|line| serde_json::from_str(&line).ok()),
                    };
                    let answered = match answer {
                        Some(answer) => manager.answer(task.id(), answer),
                        None => manager.refuse(task.id(), "there is no answer"),
                    };
                    if let Err(error) = answered {
                        eprintln!("{error}");
                    }
                }
                _ => {}
            },
        }
    };
    Ok(match &result.outcome {
        TaskOutcome::Completed(Value::String(text)) => ("completed", text.clone()),
        TaskOutcome::Completed(value) => ("completed", value.to_string()),
        TaskOutcome::Failed(error) => ("failed", error.model_message().to_owned()),
        TaskOutcome::Cancelled(reason) => ("cancelled", reason.clone()),
        TaskOutcome::Unknown(why) => ("unknown", why.clone()),
        other => return Err(format!("an outcome that this program doesn't know: {other:?}").into()),
    })
}
