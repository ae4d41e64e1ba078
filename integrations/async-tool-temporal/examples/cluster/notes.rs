//! Notes of the tools' starts: a file, which no engine and no journal can change.

use std::{
    fs::OpenOptions,
    io::Write as _,
    path::{Path, PathBuf},
};

pub(crate) struct Notes(PathBuf);

/// Start of the function.
pub(crate) struct Start {
    pub(crate) place: String,
    pub(crate) worker: String,
}

impl Notes {
    pub(crate) fn new(directory: &Path) -> Self {
        Self(directory.join("starts"))
    }

    /// Notes a start, in one write, so that lines of several processes never mix.
    pub(crate) fn start(&self, place: &str, worker: &str) -> std::io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0)?;
        file.write_all(format!("{place} {worker}\n").as_bytes())
    }

    pub(crate) fn starts(&self) -> Vec<Start> {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        lines
            .map(|(place, worker)| Start {
                place: place.to_owned(),
                worker: worker.to_owned(),
            })
            .collect()
    }
}
