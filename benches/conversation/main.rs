//! Conversations of async-tool, measured: see `--help`.

mod actors;
mod client;
mod judge;
mod prompts;
mod server;
mod table;
mod talk;
mod wilson;
mod workload;

use std::{env, error::Error, process::Stdio, time::Duration};

use clap::Parser;
use client::{Mode, Sight};
use server::Server;
use table::{HEAD, Row};
use talk::Partner;
use tokio::{io::AsyncReadExt as _, process::Command};
use wilson::Share;
use workload::Workload;

/// Measures conversations of agents.
///
/// Plays the workloads against a scripted model on this machine: 0.3 s to the first token, and 5 ms for each. With a server
/// or a model, asks that model instead, some questions that it can only answer with tools, and counts what it makes of
/// them. Shares have 95 % intervals after Wilson.
#[derive(Debug, Parser)]
struct Arguments {
    /// Workloads to play: A to F. All by default.
    workloads: Vec<String>,
    /// Kinds of agents. All by default.
    #[arg(long, value_enum)]
    mode: Vec<Mode>,
    /// OpenAI-compatible server to ask, such as http://localhost:8080/v1. Without it, the scripted models are asked.
    #[arg(long)]
    base_url: Option<String>,
    /// Model to ask: of the server, or a scripted one (good, repeats, invents, echoes,
    /// forgets; `all` for all of them).
    #[arg(long)]
    model: Option<String>,
    /// Conversations about each prompt.
    #[arg(long, default_value_t = 3)]
    n: usize,
    /// Time that a tool takes, in milliseconds.
    #[arg(long, default_value_t = 1_500)]
    takes: u64,
    /// Environment variable with the server's key.
    #[arg(long)]
    api_key_env: Option<String>,
    /// Server of a measured process.
    #[arg(long, hide = true)]
    play: Option<String>,
}

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let workloads: Vec<Workload> = workload::ALL
        .into_iter()
        .filter(|workload| {
            arguments.workloads.is_empty() || arguments.workloads.iter().any(|name| name == workload.name)
        })
        .collect();
    if let Some(base_url) = &arguments.play {
        return play(base_url, &workloads, &arguments.mode).await;
    }
    let modes = if arguments.mode.is_empty() {
        &Mode::ALL[..]
    } else {
        &arguments.mode
    };
    if arguments.base_url.is_some() || arguments.model.is_some() {
        return ask(&arguments, modes).await;
    }
    println!("tokens: o200k, of all requests; lag: from the end of a call to the request that shows its result");
    println!("{HEAD}");
    for workload in workloads {
        println!("{}: {}", workload.name, workload.what);
        for mode in modes {
            measure(workload, *mode).await?.print(mode.name());
        }
    }
    Ok(())
}

/// Has conversations with real or scripted models, and prints what they made of them.
async fn ask(arguments: &Arguments, modes: &[Mode]) -> Result<(), Failure> {
    let (server, base_url) = match &arguments.base_url {
        Some(base_url) => (None, base_url.clone()),
        None => {
            let server = Server::start_with_usage(actors::script).await?;
            let base_url = server.base_url.clone();
            (Some(server), base_url)
        }
    };
    let model = arguments.model.clone().unwrap_or_else(|| "good".to_owned());
    let models = match (&server, &*model) {
        (Some(_), "all") => actors::ALL.map(str::to_owned).to_vec(),
        (Some(_), name) if !actors::ALL.contains(&name) => {
            let names = actors::ALL.join(", ");
            return Err(format!("no scripted model is named {name:?}; there are {names}").into());
        }
        _ => vec![model],
    };
    let api_key = match &arguments.api_key_env {
        Some(name) => Some(env::var(name).map_err(|error| format!("the key can't be read from {name}: {error}"))?),
        None => None,
    };
    let prompts = prompts::PROMPTS.len();
    println!("{} conversations about each of {prompts} prompts", arguments.n);
    println!("{}", talk::HEAD);
    let (mut found, mut falsely) = (Share::default(), Share::default());
    for model in models {
        println!("{model}");
        let partner = Partner {
            base_url: base_url.clone(),
            model,
            api_key: api_key.clone(),
            takes: Duration::from_millis(arguments.takes),
            n: arguments.n,
        };
        for mode in modes {
            let score = talk::score(&partner, *mode).await?;
            talk::print(mode.name(), &score);
            (found, falsely) = (found.plus(score.found), falsely.plus(score.falsely));
        }
    }
    if server.is_some() {
        println!("grounding check: {found} of the made-up values found, {falsely} of the other turns marked");
    }
    Ok(())
}

/// Measures one row: the server here, the agents in a process of their own.
async fn measure(workload: Workload, mode: Mode) -> Result<Row, Failure> {
    let server = Server::start(workload::script).await?;
    let mut child = Command::new(env::current_exe()?)
        .args([workload.name, "--mode", mode.name(), "--play", &server.base_url])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut said = String::new();
    if let Some(mut out) = child.stdout.take() {
        out.read_to_string(&mut said).await?;
    }
    let status = child.wait().await?;
    if !status.success() {
        return Err(format!(
            "the measured process of {} {} failed: {status}",
            workload.name,
            mode.name()
        )
        .into());
    }
    let sight: Sight = serde_json::from_str(&said)?;
    Ok(Row::new(&sight, &server.take_log()))
}

/// Plays one row in this process, and prints what it saw.
async fn play(base_url: &str, workloads: &[Workload], modes: &[Mode]) -> Result<(), Failure> {
    let ([workload], [mode]) = (workloads, modes) else {
        return Err("one workload and one mode at a time".into());
    };
    let sight = client::play(base_url, *workload, *mode).await?;
    println!("{}", serde_json::to_string(&sight)?);
    Ok(())
}
