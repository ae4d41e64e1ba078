//! Processes of a proof: workers and agents.

use std::{
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use crate::world::World;

/// Child process; killed when it is dropped.
pub(crate) struct Process(Child);

impl Process {
    /// Starts this program with these arguments.
    pub(crate) fn of_this_program(arguments: &[&str], log: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments);
        Self::spawn(command, log)
    }

    pub(crate) fn spawn(mut command: Command, log: &Path) -> Result<Self> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn();
        Ok(Self(child.with_context(|| format!("{command:?} can't be started"))?))
    }

    /// Starts a worker that runs at most `slots` tasks.
    pub(crate) fn worker(url: &str, queue: &str, slots: usize, world: &World) -> Result<Self> {
        let path = world.path().to_str().context("the path of the log is no text")?;
        Self::of_this_program(
            &["worker", url, queue, &slots.to_string(), path],
            &world.path().with_extension("workers"),
        )
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let id = i32::try_from(self.0.id())
            .ok()
            .and_then(Pid::from_raw)
            .context("no process id")?;
        kill_process(id, signal).context("the signal could not be sent")
    }

    /// Kills the process with SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.0.try_wait()?)
    }

    /// Waits until the process ends by itself.
    pub(crate) async fn end(&mut self, limit: Duration) -> Result<ExitStatus> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if begun.elapsed() > limit {
                bail!("the process was still running after {limit:?}");
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Worker that is started anew whenever it dies, as a supervisor does.
pub(crate) struct Supervised {
    url: String,
    queue: String,
    slots: usize,
    world: World,
    process: Process,
}

impl Supervised {
    pub(crate) fn new(url: &str, queue: &str, slots: usize, world: &World) -> Result<Self> {
        Ok(Self {
            process: Process::worker(url, queue, slots, world)?,
            url: url.to_owned(),
            queue: queue.to_owned(),
            slots,
            world: world.clone(),
        })
    }

    /// Watches over the worker until it is dropped.
    pub(crate) async fn watch(&mut self) -> Result<std::convert::Infallible> {
        loop {
            if self.process.ended()?.is_some() {
                self.world.note("death", "worker");
                self.process = Process::worker(&self.url, &self.queue, self.slots, &self.world)?;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}
