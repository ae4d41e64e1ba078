//! Log of what happened: lines of a file that all processes append to. No journal and no engine can change it.

use std::{
    collections::BTreeSet,
    fs::OpenOptions,
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep};

/// Log of one proof.
#[derive(Clone)]
pub(crate) struct World(PathBuf);

impl World {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Notes that something happened, at this time, in this process. One write, so that lines never mix.
    pub(crate) fn note(&self, what: &str, label: &str) {
        let line = format!("{what} {label} {} {}\n", std::process::id(), millis());
        let file = OpenOptions::new().create(true).append(true).open(&self.0);
        if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
            // A start that is missing here would make a proof worthless.
            eprintln!("the log of the proof can't be written: {error}");
            std::process::abort();
        }
    }

    pub(crate) fn events(&self, what: &str) -> Vec<Event> {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        text.lines()
            .filter_map(Event::parse)
            .filter(|event| event.what == what)
            .collect()
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        self.events(what).len()
    }

    /// Number of events of this kind with this label.
    pub(crate) fn of(&self, what: &str, label: &str) -> usize {
        self.events(what).iter().filter(|event| event.label == label).count()
    }

    /// Waits until this has happened with so many labels that begin so.
    pub(crate) async fn wait_for_labels(&self, what: &str, prefix: &str, count: usize, limit: Duration) -> Result<()> {
        let begun = Instant::now();
        loop {
            let labels: BTreeSet<String> = self.events(what).into_iter().map(|event| event.label).collect();
            let there = labels.iter().filter(|label| label.starts_with(prefix)).count();
            if there >= count {
                return Ok(());
            }
            ensure!(
                begun.elapsed() < limit,
                "after {limit:?} there were {there} of {count} labels `{prefix}…`"
            );
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until this has happened so often.
    pub(crate) async fn wait(&self, what: &str, count: usize, limit: Duration) -> Result<()> {
        let begun = Instant::now();
        while self.count(what) < count {
            ensure!(
                begun.elapsed() < limit,
                "after {limit:?} there were {} of {count} events `{what}`",
                self.count(what)
            );
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

/// Line of the log.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) what: String,
    pub(crate) label: String,
    pub(crate) process: u32,
    pub(crate) at: u64,
}

impl Event {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        Some(Self {
            what: words.next()?.to_owned(),
            label: words.next()?.to_owned(),
            process: words.next()?.parse().ok()?,
            at: words.next()?.parse().ok()?,
        })
    }
}

/// Time of day in milliseconds.
pub(crate) fn millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
