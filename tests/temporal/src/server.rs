//! Temporal's development server as a process.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep};

use crate::process::Process;

/// Longest start of the server.
const START: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    program: PathBuf,
    directory: PathBuf,
    port: u16,
    /// File that keeps the state over a restart.
    database: Option<PathBuf>,
    process: Process,
}

impl Server {
    /// Starts a server that forgets everything when it ends.
    pub(crate) async fn start(program: &Path, directory: &Path) -> Result<Self> {
        Self::with(program, directory, None).await
    }

    /// Starts a server with its state in a file.
    pub(crate) async fn with_file(program: &Path, directory: &Path, name: &str) -> Result<Self> {
        let database = directory.join(name);
        for leftover in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{leftover}", database.display()));
        }
        Self::with(program, directory, Some(database)).await
    }

    async fn with(program: &Path, directory: &Path, database: Option<PathBuf>) -> Result<Self> {
        // The server has a port for itself only as long as no other program takes it meanwhile.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let process = spawn(program, directory, port, database.as_deref())?;
        let server = Self {
            program: program.to_owned(),
            directory: directory.to_owned(),
            port,
            database,
            process,
        };
        server.ready().await?;
        Ok(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Starts it again, at the same address, with the same file.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.process = spawn(&self.program, &self.directory, self.port, self.database.as_deref())?;
        self.ready().await
    }

    async fn ready(&self) -> Result<()> {
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() || !self.is_set_up().await {
            ensure!(
                begun.elapsed() < START,
                "the server was not ready after {START:?}; see {}",
                self.directory.join("server.log").display()
            );
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// True if the namespace and the search attribute are there, which come after the port.
    async fn is_set_up(&self) -> bool {
        async_tool_temporal::TemporalBackend::connect(self.url()).await.is_ok()
    }
}

fn spawn(program: &Path, directory: &Path, port: u16, database: Option<&Path>) -> Result<Process> {
    let mut command = Command::new(program);
    command
        .args(["server", "start-dev", "--headless", "--ip", "127.0.0.1", "--log-level", "error"])
        .args(["--port", &port.to_string()])
        .args(["--search-attribute", "AgentSession=Keyword"])
        // The default of the development server starts twenty tasks a second.
        .args(["--dynamic-config-value", "history.transferProcessorMaxPollRPS=500"]);
    if let Some(database) = database {
        command.arg("--db-filename").arg(database);
    }
    Process::spawn(command, &directory.join("server.log"))
}
