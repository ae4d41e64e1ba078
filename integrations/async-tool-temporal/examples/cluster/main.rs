//! Tools on two machines, in small: two workers and an agent, as processes of their own, over Temporal's development server.
//!
//! ```text
//! cargo run -p async-tool-temporal --example cluster
//! ```
//!
//! In the middle, it kills a worker and the agent. Then it shows where each task ran, and that the agent's model was told each result once.

mod development_server;
mod notes;
mod report;
mod roles;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode},
    time::{Duration, Instant},
};

use development_server::{DevelopmentServer, HOW_TO_GET_IT};
use notes::Notes;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Longest wait for any step.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let end = match arguments[..] {
        [] => direct().await,
        ["worker", url, name, directory] => roles::worker(url, name, Path::new(directory)).await,
        ["agent", url, directory] => roles::agent(url, Path::new(directory)).await,
        _ => Err("usage: cluster".into()),
    };
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Plays the part of the machines' operator, and of their power supply.
async fn direct() -> Result<(), Failure> {
    let program = development_server::find().ok_or(HOW_TO_GET_IT)?;
    let directory = directory()?;
    println!("Temporal's development server: {}", program.display());
    let server = DevelopmentServer::start(&program, &directory).await?;
    let notes = Notes::new(&directory);

    let mut north = Role::start(&["worker", &server.url, "north"], &directory)?;
    let south = Role::start(&["worker", &server.url, "south"], &directory)?;
    let mut agent = Role::start(&["agent", &server.url], &directory)?;
    println!(
        "processes: worker north {}, worker south {}, agent {}\n",
        north.id(),
        south.id(),
        agent.id()
    );

    let begun = Instant::now();
    while notes.starts().len() < roles::PLACES.len() {
        if begun.elapsed() > LIMIT {
            return Err(format!("the tasks did not start within {LIMIT:?}; see the output above").into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!(
        "director: all {} tasks run; kill -9 {} (worker north), kill -9 {} (agent)",
        roles::PLACES.len(),
        north.id(),
        agent.id()
    );
    north.kill()?;
    agent.kill()?;

    let mut agent = Role::start(&["agent", &server.url], &directory)?;
    println!(
        "director: a new agent, process {}; worker north stays away\n",
        agent.id()
    );
    agent.succeed(LIMIT).await?;
    report::print(&directory, &notes).await
}

/// A new directory for the journal and the notes.
fn directory() -> Result<PathBuf, Failure> {
    let directory = std::env::temp_dir().join(format!("async-tool-cluster-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// Process that plays a part. Killed when it is dropped.
struct Role(Child);

impl Role {
    fn start(part: &[&str], directory: &Path) -> Result<Self, Failure> {
        let child = Command::new(std::env::current_exe()?)
            .args(part)
            .arg(directory)
            .spawn()?;
        Ok(Self(child))
    }

    fn id(&self) -> u32 {
        self.0.id()
    }

    fn kill(&mut self) -> Result<(), Failure> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    async fn succeed(&mut self, limit: Duration) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            match self.0.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(format!("process {} ended with {status}", self.id()).into()),
                None if begun.elapsed() > limit => {
                    return Err(format!("process {} was still running after {limit:?}", self.id()).into());
                }
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
