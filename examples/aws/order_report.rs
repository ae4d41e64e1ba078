//! A tool whose result comes later, through a queue: `cargo run -p async-tool-aws-examples --example order_report`.

use std::{process::ExitCode, time::Duration};

use async_tool_runtime::{AsyncToolManager, tools};
use aws::{
    Cloud, Names, Poller, converse, exit,
    tools::{Reports, order_report},
};
use clap::Parser;

/// Orders reports from a function that answers through a queue.
#[derive(Parser)]
struct Arguments {
    /// Customers to report on.
    #[arg(default_values_t = ["ann".to_owned()])]
    customers: Vec<String>,
    /// Seconds after which a report isn't waited for any more.
    #[arg(long, default_value_t = 60.0)]
    within: f64,
    #[command(flatten)]
    names: Names,
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(run().await)
}

async fn run() -> anyhow::Result<()> {
    let Arguments {
        customers,
        within,
        names,
    } = Arguments::parse();
    let within = Duration::try_from_secs_f64(within)?;
    let cloud = Cloud::connect(names).await?;
    let poller = Poller::open(&cloud, cloud.names.completions()).await?;
    let reports = Reports {
        function: cloud.names.report(),
        reply_to: poller.url().to_owned(),
        within,
    };
    let manager = AsyncToolManager::builder()
        .tools(tools![order_report])
        .state(cloud)
        .state(reports)
        .build()?;
    let calls = customers.iter().map(|name| format!("order_report customer={name}"));
    converse(manager, calls, Some(&poller)).await
}
