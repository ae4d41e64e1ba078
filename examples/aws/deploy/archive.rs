//! Archives of functions, as Lambda takes them.

use std::{
    io::{Cursor, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use zip::{ZipWriter, write::SimpleFileOptions};

/// Built functions.
pub(crate) struct Archives(PathBuf);

impl Archives {
    /// Functions in a directory, or in the one above this program's.
    pub(crate) fn find(directory: Option<PathBuf>) -> anyhow::Result<Self> {
        let directory = match directory {
            Some(directory) => directory,
            None => {
                let program = std::env::current_exe()?;
                program
                    .parent()
                    .and_then(Path::parent)
                    .context("this program is in no directory")?
                    .to_owned()
            }
        };
        for name in ["api", "report", "agent_function"] {
            let program = directory.join(name);
            if !program.is_file() {
                bail!(
                    "the function {} is not built: run `cargo build -p async-tool-aws-examples --bins`",
                    program.display()
                );
            }
        }
        Ok(Self(directory))
    }

    /// Archive with the program as `bootstrap`, which a function of the runtime `provided.al2023` runs.
    pub(crate) fn of(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let program = self.0.join(name);
        let program = std::fs::read(&program).with_context(|| format!("can't read {}", program.display()))?;
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        // Quick, because this program is built without optimization.
        let options = SimpleFileOptions::default()
            .compression_level(Some(1))
            .unix_permissions(0o755);
        archive.start_file("bootstrap", options)?;
        archive.write_all(&program)?;
        Ok(archive.finish()?.into_inner())
    }
}
