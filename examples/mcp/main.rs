//! The quickstart's tools as an MCP server for a coding assistant.
//!
//! ```text
//! tree-tools [PATH]               over stdio, as assistants start it
//! tree-tools [PATH] --port 8080   over HTTP, at http://127.0.0.1:8080/mcp
//! ```

use async_tool_mcp::McpServer;
use async_tool_runtime::AsyncToolManager;
use clap::Parser;
use shared::{
    assistant,
    tree::{Tree, TreeArguments},
};

/// Serves tools that read a directory tree, over MCP.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    tree: TreeArguments,
    /// Serves over HTTP on this port of this machine, and not over stdio.
    #[arg(long)]
    port: Option<u16>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let manager = AsyncToolManager::builder()
        .tools(shared::tools::all())
        .state(Tree::new(arguments.tree.root()?))
        .concurrency(assistant::SLOTS)
        .build()?;
    let server = McpServer::new(manager)
        .name("tree-tools", env!("CARGO_PKG_VERSION"))
        .instructions(
            "Tools that read one directory tree. Paths are relative to it. Some take minutes on a large tree.",
        );
    match arguments.port {
        None => server.serve_stdio().await?,
        Some(port) => {
            eprintln!("http://127.0.0.1:{port}/mcp");
            server.serve_http(port).await?;
        }
    }
    Ok(())
}
