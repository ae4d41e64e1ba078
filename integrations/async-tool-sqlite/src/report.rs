//! Findings at the opening of a journal.

use std::path::{Path, PathBuf};

/// Losses of earlier processes, as far as the opening of a journal found them. See
/// [`open_report`](crate::SqliteJournal::open_report).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenReport {
    /// Damage of the log, which hid the commits behind it.
    pub damaged_log: Option<DamagedLog>,
    /// True if the machine was restarted while a journal with [`Durability::Normal`](crate::Durability::Normal) was
    /// open. Appends of its last seconds may be lost: of all its appends the last ones, and none before them.
    pub may_have_lost_appends: bool,
}

/// Commits in a log that can't be read, because the log is damaged in front of them or within them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DamagedLog {
    /// Number of commits from the damage on. The last one may be a write that a power loss interrupted, which was never
    /// acknowledged.
    pub commits: u64,
    /// Number of their pages.
    pub pages: u64,
    /// Copy of the journal with its log, made before anything was written. `async-tool journal export --salvage` reads
    /// it. `None` if the journal was opened for reading, which changes nothing.
    pub copy: Option<PathBuf>,
}

impl OpenReport {
    /// Reports to the subscriber of `tracing`, for hosts that don't ask.
    pub(crate) fn log(&self, journal: &Path) {
        let journal = journal.display();
        if let Some(damaged) = &self.damaged_log {
            let copy = damaged.copy.as_ref().map(|copy| copy.display().to_string());
            tracing::warn!(
                target: "async_tool::journal",
                %journal,
                copy,
                commits = damaged.commits,
                "the log of the journal is damaged: the commits from there on are not read; `async-tool journal export --salvage` reads \
                 the copy"
            );
        }
        if self.may_have_lost_appends {
            tracing::warn!(
                target: "async_tool::journal",
                %journal,
                "the machine was restarted while the journal was open with `Durability::Normal`: its last appends may be lost"
            );
        }
    }
}
