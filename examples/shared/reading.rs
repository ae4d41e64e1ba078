//! Reads the files of a tree for a tool that may be told to stop.

use std::{
    fs,
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{anyhow, bail};
use async_tool_runtime::ToolContext;

use crate::tree::{Files, Tree};

/// Larger files are no sources, and are not worth the memory.
const BYTES_AT_MOST: u64 = 32 << 20;
/// How soon a reading that waits sees that it was told to stop.
const NAP: Duration = Duration::from_millis(20);

/// An iterator over the files of a tree. It checks between files whether its task was told to stop, reports how far it
/// is, and passes over files that can't be read.
///
/// A small tree on a fast disk is read in no time. So that there is something to watch, a reading can be spread over a
/// time, as if each file came from a slow disk or over a network: file `i` of `n` is read not before `i/n` of that time.
/// A reading that needs longer anyway does not wait.
pub(crate) struct Reading<'a> {
    files: Files,
    next: usize,
    began: Instant,
    spread: Duration,
    cx: &'a ToolContext,
    skipped: u64,
}

/// A file that was read.
pub(crate) struct SourceFile {
    /// Relative to the tree.
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

impl SourceFile {
    /// The path as text: it need not be UTF-8, and what a tool returns must be.
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Whether it holds no text, by git's rule: there is a zero byte near its start.
    pub(crate) fn is_binary(&self) -> bool {
        self.bytes.iter().take(8000).any(|byte| *byte == 0)
    }
}

impl<'a> Reading<'a> {
    pub(crate) fn start(tree: &Tree, path: &str, spread_seconds: f64, cx: &'a ToolContext) -> anyhow::Result<Self> {
        let spread = Duration::try_from_secs_f64(spread_seconds)
            .ok()
            .filter(|spread| *spread <= Duration::from_secs(600))
            .ok_or_else(|| anyhow!("`spread_seconds` must be from 0 to 600, got {spread_seconds}"))?;
        if cx.is_cancelled() {
            bail!("stopped before the first file");
        }
        let files = tree.files(path)?;
        Ok(Self {
            skipped: files.unreadable,
            files,
            next: 0,
            began: Instant::now(),
            spread,
            cx,
        })
    }

    /// How many files could not be read, or were too large.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Waits until this part of the time has passed.
    fn wait_until(&self, part: f64) -> anyhow::Result<()> {
        let due = self.spread.mul_f64(part);
        loop {
            if self.cx.is_cancelled() {
                bail!("stopped after {} of {} files", self.next, self.files.paths.len());
            }
            let left = due.saturating_sub(self.began.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            sleep(left.min(NAP));
        }
    }
}

impl Iterator for Reading<'_> {
    type Item = anyhow::Result<SourceFile>;

    fn next(&mut self) -> Option<Self::Item> {
        let count = self.files.paths.len();
        while self.next < count {
            let path = &self.files.paths[self.next];
            // The first file waits too, so that the last ends when the time is over.
            if let Err(stopped) = self.wait_until((self.next + 1) as f64 / count as f64) {
                self.next = count;
                return Some(Err(stopped));
            }
            self.next += 1;
            let done = self.next;
            let message = format!("{done} of {count} files");
            self.cx.progress().report(done as f64 / count as f64, message);
            let is_small = fs::metadata(path).is_ok_and(|metadata| metadata.len() <= BYTES_AT_MOST);
            match is_small.then(|| fs::read(path)) {
                Some(Ok(bytes)) => {
                    let path = path.strip_prefix(&self.files.root).unwrap_or(path).to_owned();
                    return Some(Ok(SourceFile { path, bytes }));
                }
                Some(Err(_)) | None => self.skipped += 1,
            }
        }
        None
    }
}
