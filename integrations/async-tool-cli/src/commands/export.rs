//! `async-tool journal export`

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use async_tool_runtime::future::BoxStream;

use crate::{arguments::Which, failure::Failure, source};

pub(super) async fn run(which: &Which, output: Option<&Path>) -> Result<bool, Failure> {
    let journal = source::open(&which.file)?;
    let session = source::the_session(&journal, which).await?;
    let lines = journal.export(&session);
    match output {
        // Safe even for a terminal, because JSON escapes control characters.
        None => write(lines, std::io::stdout().lock()).await?,
        Some(path) => {
            let what = format!("create {}, which must not exist", path.display());
            let file = File::create_new(path).map_err(|error| Failure::io(&what, error))?;
            write(lines, file).await?;
        }
    }
    Ok(true)
}

async fn write(
    mut lines: BoxStream<'_, Result<String, async_tool_runtime::journal::ReadError>>,
    to: impl Write,
) -> Result<(), Failure> {
    let mut to = BufWriter::new(to);
    while let Some(line) = source::next(&mut lines).await? {
        writeln!(to, "{}", line.trim_end())?;
    }
    Ok(to.flush()?)
}
