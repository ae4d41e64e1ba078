//! Reading the files of a tree, for tools that can be cancelled.

use std::{
    fs,
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{anyhow, bail};
use async_tool_runtime::ToolContext;

use crate::tree::{Files, Tree};

/// Maximum size of a file. Larger files are not source code, and would take much memory.
const BYTES_AT_MOST: u64 = 32 << 20;
/// Interval at which a waiting reader checks for cancellation.
const NAP: Duration = Duration::from_millis(20);

/// Iterator over the files of a tree. Between files it checks for cancellation and reports progress. It skips unreadable files.
///
/// A small tree on a fast disk is read almost at once. To give a user something to watch, the reading can be spread over a time,
/// as if the files came from a slow disk. File `i` of `n` is then read no earlier than after `i/n` of that time. A reading that
/// takes longer anyway does not wait.
pub(crate) struct Reading<'a> {
    files: Files,
    next: usize,
    began: Instant,
    spread: Duration,
    cx: &'a ToolContext,
    skipped: u64,
}

/// Path and contents of a file.
pub(crate) struct SourceFile {
    /// Path relative to the tree.
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

impl SourceFile {
    /// Path as text. Invalid UTF-8 is replaced, because the result of a tool must be valid.
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// True if the file is binary, by git's rule: a zero byte in the first 8,000 bytes.
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

    /// Number of files that could not be read or were too large.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Waits until this fraction of the time has passed.
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
            // The first file waits as well, so that the last is read when the time is over.
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
