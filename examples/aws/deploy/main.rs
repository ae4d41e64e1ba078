//! Deploys what the other programs use, or removes it: `cargo run -p async-tool-aws-examples --example deploy`.

mod archive;
mod functions;
mod queues;
mod tables;

use std::{path::PathBuf, process::ExitCode};

use aws::{Cloud, Names, exit};
use clap::Parser;

/// Creates the tables, queues and functions of the examples, or updates them.
#[derive(Parser)]
struct Arguments {
    /// Role of the functions. A stand-in takes any.
    #[arg(long, default_value = "arn:aws:iam::000000000000:role/async-tool")]
    role: String,
    /// Directory of the built functions `api`, `report` and `agent_function`. Default: where cargo has built this program.
    #[arg(long)]
    functions: Option<PathBuf>,
    /// The functions are built for ARM.
    #[arg(long)]
    arm: bool,
    /// Removes everything.
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    names: Names,
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(run(Arguments::parse()).await)
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let cloud = Cloud::connect(arguments.names).await?;
    if arguments.remove {
        functions::remove(&cloud).await?;
        queues::remove(&cloud).await?;
        return tables::remove(&cloud).await;
    }
    // Before anything is created: the functions may not be built.
    let archives = archive::Archives::find(arguments.functions)?;
    tables::create(&cloud).await?;
    let queues = queues::create(&cloud).await?;
    let shape = functions::Shape {
        role: arguments.role,
        is_arm: arguments.arm,
    };
    functions::create(&cloud, &shape, &archives, &queues).await
}
