//! A tool that waits for functions: `cargo run -p async-tool-aws-examples --example call_api`.

use std::process::ExitCode;

use async_tool_runtime::{AsyncToolManager, tools};
use aws::{Cloud, Names, converse, exit, tools::call_api};
use clap::Parser;

/// Asks a function of Lambda for resources, all at once.
#[derive(Parser)]
struct Arguments {
    /// Paths of the resources.
    #[arg(default_values_t = ["/prices/tea".to_owned(), "/prices/coffee".to_owned()])]
    paths: Vec<String>,
    #[command(flatten)]
    names: Names,
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(run().await)
}

async fn run() -> anyhow::Result<()> {
    let Arguments { paths, names } = Arguments::parse();
    let manager = AsyncToolManager::builder()
        .tools(tools![call_api])
        .state(Cloud::connect(names).await?)
        .build()?;
    let calls = paths.iter().map(|path| format!("call_api path={path}"));
    converse(manager, calls, None).await
}
