//! MCP server with tools that clients are tested against.
//!
//! ```text
//! cargo run -p async-tool-mcp --example server                    http://127.0.0.1:8080/mcp
//! cargo run -p async-tool-mcp --example server -- http 9000
//! cargo run -p async-tool-mcp --example server -- stdio --heartbeat 1s
//! cargo run -p async-tool-mcp --example server -- --store tasks.db
//! ```
//!
//! `--heartbeat` is the longest silence of an ordinary call; the variable `HEARTBEAT_S` has it in seconds.

#[path = "server/arguments.rs"]
mod arguments;
#[path = "server/fixtures.rs"]
mod fixtures;

use std::{error::Error, process::ExitCode, time::Duration};

use arguments::{Arguments, Transport};
use async_tool_mcp::McpServer;
use async_tool_runtime::ToolCall;
use async_tool_sqlite::SqliteJournal;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    match serve(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let server = McpServer::new(fixtures::manager()?)
        .name("async-tool fixtures", env!("CARGO_PKG_VERSION"))
        .heartbeat(arguments.heartbeat)
        .poll_interval(Duration::from_millis(200))
        .retention_of(retention)
        .ask_first("test_tool_with_task")
        .without("ask_name");
    let server = match arguments.store {
        Some(file) => server.journal(SqliteJournal::open(file)?).await?,
        None => server,
    };
    match arguments.transport {
        Transport::Stdio => server.serve_stdio().await?,
        Transport::Http(port) => {
            eprintln!("http://127.0.0.1:{port}/mcp");
            server.serve_http(port).await?;
        }
    }
    Ok(())
}

/// Retention that a call asks for.
fn retention(call: &ToolCall) -> Option<Duration> {
    let asked = serde_json::to_value(&call.arguments).ok()?.get("ttlMs")?.as_u64()?;
    Some(Duration::from_millis(asked))
}
