//! `async-tool journal export`

use std::{
    io::{self, BufWriter, Write},
    ops::RangeInclusive,
    path::Path,
};

use async_tool_sqlite::{Salvage, SalvagedSession};
use tempfile::NamedTempFile;

use crate::{
    arguments::{Format, Which},
    failure::Failure,
    plain::Short,
    source, trace,
};

/// Content of an export.
#[derive(Clone, Copy)]
pub(super) enum What {
    Entries,
    Salvage,
    /// A trace, with what was said if `contents` is true.
    Perfetto {
        contents: bool,
    },
    Otlp {
        contents: bool,
    },
}

impl What {
    pub(super) fn new(format: Format, contents: bool, is_salvage: bool) -> Result<Self, Failure> {
        match (format, is_salvage) {
            (Format::Jsonl, false) => Ok(Self::Entries),
            (Format::Jsonl, true) => Ok(Self::Salvage),
            (Format::Perfetto, false) => Ok(Self::Perfetto { contents }),
            (Format::Otlp, false) => Ok(Self::Otlp { contents }),
            (Format::Perfetto | Format::Otlp, true) => Err(Failure::new(
                "a trace needs all entries of a session, so `--salvage` takes no `--format` but jsonl",
            )),
        }
    }
}

pub(super) async fn run(which: &Which, output: Option<&Path>, what: What) -> Result<bool, Failure> {
    match output {
        // Safe even for a terminal, because JSON escapes control characters.
        None => write(which, io::stdout().lock(), what).await,
        Some(path) => {
            let created = format!("create {}, which must not exist", path.display());
            let refuse = |error| Failure::io(&created, error);
            if path.symlink_metadata().is_ok() {
                return Err(refuse(io::ErrorKind::AlreadyExists.into()));
            }
            // The name appears when everything is on the disk, so a full disk leaves no part of it.
            let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
            let mut file = NamedTempFile::new_in(directory.unwrap_or(Path::new("."))).map_err(refuse)?;
            let is_whole = write(which, &mut file, what).await?;
            file.as_file().sync_all()?;
            file.persist_noclobber(path).map_err(|error| refuse(error.error))?;
            Ok(is_whole)
        }
    }
}

async fn write(which: &Which, to: impl Write, what: What) -> Result<bool, Failure> {
    let mut to = BufWriter::new(to);
    let is_whole = match what {
        What::Salvage => salvage(which, &mut to)?,
        What::Entries => {
            let journal = source::open(&which.file)?;
            let session = source::the_session(&journal, which).await?;
            let mut lines = journal.export(&session);
            while let Some(line) = source::next(&mut lines).await? {
                writeln!(to, "{}", line.trim_end())?;
            }
            true
        }
        What::Perfetto { contents } => {
            let sessions = traces(which, contents).await?;
            write_json(&mut to, &trace::perfetto(&sessions))?
        }
        What::Otlp { contents } => {
            let sessions = traces(which, contents).await?;
            write_json(&mut to, &trace::otlp(&sessions))?
        }
    };
    to.flush()?;
    Ok(is_whole)
}

/// Traces of the named session, or of all.
async fn traces(which: &Which, contents: bool) -> Result<Vec<trace::SessionTrace>, Failure> {
    let journal = source::open(&which.file)?;
    let mut traces = Vec::new();
    for session in source::the_sessions(&journal, which).await? {
        let entries = source::entries(&journal, &session).await?;
        traces.push(trace::read(&session, &entries, contents));
    }
    trace::join(&mut traces);
    Ok(traces)
}

fn write_json(to: &mut impl Write, json: &serde_json::Value) -> Result<bool, Failure> {
    serde_json::to_writer(&mut *to, json).map_err(io::Error::from)?;
    writeln!(to)?;
    Ok(true)
}

/// Writes all entries that can be read. Reports what is missing to the standard error; true if nothing is.
fn salvage(which: &Which, to: &mut impl Write) -> Result<bool, Failure> {
    let mut journal = Salvage::open(&which.file).map_err(Failure::of)?;
    let mut sessions = journal.sessions().to_vec();
    if let Some(name) = &which.session {
        sessions.retain(|found| found.session.as_str() == name);
    }
    let mut is_whole = !sessions.is_empty();
    if sessions.is_empty() {
        writeln!(anstream::stderr(), "no entry of a session was found")?;
    }
    for found in &sessions {
        // One file may hold several sessions, so each line names its own.
        let name = serde_json::to_string(&found.session).map_err(Failure::of)?;
        for line in journal.export(found) {
            let line = line.map_err(|error| Failure::io("read the journal", error))?;
            writeln!(to, "{{\"session\":{name},{}", line.trim_start_matches('{'))?;
        }
        is_whole &= found.missing.is_empty() && found.missing_blobs.is_empty();
        writeln!(anstream::stderr(), "{}", sentence(found))?;
    }
    Ok(is_whole)
}

fn sentence(found: &SalvagedSession) -> String {
    let session = Short::new(found.session.as_str(), 60);
    let mut text = format!("{session}: {} of {} entries saved", found.entries, found.last);
    if !found.missing.is_empty() {
        let range = |range: &RangeInclusive<u64>| match (range.start(), range.end()) {
            (start, end) if start == end => start.to_string(),
            (start, end) => format!("{start}-{end}"),
        };
        let missing: Vec<_> = found.missing.iter().map(range).collect();
        text.push_str("; missing: ");
        text.push_str(&missing.join(", "));
    }
    match found.missing_blobs.len() {
        0 => {}
        1 => text.push_str("; the bytes of 1 image or file are missing"),
        count => text.push_str(&format!("; the bytes of {count} images or files are missing")),
    }
    text
}
