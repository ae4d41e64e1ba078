//! `async-tool journal compact`

use std::{io::Write as _, path::Path};

use async_tool_sqlite::SqliteJournal;

use crate::{failure::Failure, source};

pub(super) async fn run(file: &Path) -> Result<bool, Failure> {
    // Looked at first: opening for writing makes a file where there is none.
    drop(source::open(file)?);
    let journal = SqliteJournal::open(file).map_err(Failure::of)?;
    let done = journal.compact().await.map_err(Failure::of)?;
    journal.close().await;
    writeln!(
        anstream::stdout(),
        "packed {} sessions with {} entries; the file has {} bytes, and had {}",
        done.sessions,
        done.entries,
        done.bytes_after,
        done.bytes_before
    )?;
    if done.skipped > 0 {
        writeln!(
            anstream::stdout(),
            "left {} sessions as they are, because something is wrong with them; `async-tool journal verify` says what",
            done.skipped
        )?;
    }
    Ok(done.skipped == 0)
}
