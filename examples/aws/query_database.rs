//! A tool that reads a table: `cargo run -p async-tool-aws-examples --example query_database`.

use std::process::ExitCode;

use async_tool_runtime::{AsyncToolManager, tools};
use aws::{Cloud, Names, converse, exit, tools::query_database};
use clap::Parser;

/// Looks orders up in a table of DynamoDB. The result of one that isn't there is null.
#[derive(Parser)]
struct Arguments {
    /// Numbers of the orders.
    #[arg(default_values_t = ["o-17".to_owned(), "o-99".to_owned()])]
    orders: Vec<String>,
    #[command(flatten)]
    names: Names,
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(run().await)
}

async fn run() -> anyhow::Result<()> {
    let Arguments { orders, names } = Arguments::parse();
    let manager = AsyncToolManager::builder()
        .tools(tools![query_database])
        .state(Cloud::connect(names).await?)
        .build()?;
    let calls = orders.iter().map(|id| format!("query_database id={id}"));
    converse(manager, calls, None).await
}
