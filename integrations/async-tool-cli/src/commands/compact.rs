//! `async-tool journal compact`

use std::{io::Write as _, path::Path};

use async_tool_sqlite::SqliteJournal;

use crate::{failure::Failure, output::Patient, source};

pub(super) async fn run(file: &Path) -> Result<bool, Failure> {
    // Opened for reading first, because opening for writing would create a missing file.
    drop(source::open(file)?);
    let journal = SqliteJournal::open(file).map_err(Failure::of)?;
    let done = journal.compact().await.map_err(Failure::of)?;
    journal.close().await;
    let mut out = Patient::text();
    writeln!(
        out,
        "packed {} sessions with {} entries; the file has {} bytes, down from {}",
        done.sessions, done.entries, done.bytes_after, done.bytes_before
    )?;
    if done.skipped > 0 {
        writeln!(
            out,
            "skipped {} damaged sessions; `async-tool journal verify` reports the damage",
            done.skipped
        )?;
    }
    out.flush()?;
    Ok(done.skipped == 0)
}
