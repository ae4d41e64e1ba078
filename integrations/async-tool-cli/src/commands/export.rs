//! `async-tool journal export`

use std::{
    io::{self, BufWriter, Write},
    ops::RangeInclusive,
    path::Path,
};

use async_tool_runtime::SessionId;
use async_tool_sqlite::{Salvage, SalvagedSession};
use tempfile::NamedTempFile;

use crate::{
    arguments::{Format, Which},
    failure::Failure,
    output::JsonLines,
    plain::Plain,
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
        None if matches!(what, What::Salvage) => write(which, JsonLines::patient_stdout(), what).await,
        None => write(which, JsonLines::stdout(), what).await,
        Some(path) => {
            let created = format!("create {}, which must not exist", path.display());
            let refuse = |error| Failure::io(&created, error);
            if path.symlink_metadata().is_ok() {
                return Err(refuse(io::ErrorKind::AlreadyExists.into()));
            }
            // The name appears when everything is on the disk, so a full disk leaves no part of it.
            let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
            let mut file = NamedTempFile::new_in(directory.unwrap_or(Path::new("."))).map_err(refuse)?;
            let is_whole = write(which, JsonLines::file(BufWriter::new(&mut file)), what).await?;
            file.as_file().sync_all()?;
            file.persist_noclobber(path).map_err(|error| refuse(error.error))?;
            Ok(is_whole)
        }
    }
}

async fn write(which: &Which, mut to: JsonLines<impl Write>, what: What) -> Result<bool, Failure> {
    let is_whole = match what {
        What::Salvage => salvage(which, &mut to)?,
        What::Entries => {
            let journal = source::open(&which.file)?;
            let session = source::the_session(&journal, which).await?;
            let mut lines = journal.export(&session);
            while let Some(line) = source::next(&mut lines).await? {
                to.write(line.trim_end())?;
            }
            true
        }
        What::Perfetto { contents } => {
            let sessions = traces(which, contents).await?;
            to.write(&trace::perfetto(&sessions).to_string())?;
            true
        }
        What::Otlp { contents } => {
            let sessions = traces(which, contents).await?;
            to.write(&trace::otlp(&sessions).to_string())?;
            true
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

/// Writes all entries that can be read. Reports what is missing to the standard error; true if nothing is.
fn salvage(which: &Which, to: &mut JsonLines<impl Write>) -> Result<bool, Failure> {
    let mut journal = Salvage::open(&which.file).map_err(Failure::of)?;
    let mut sessions = journal.sessions().to_vec();
    if let Some(name) = &which.session {
        sessions.retain(|found| found.session.as_str() == name);
    }
    let mut is_whole = !sessions.is_empty();
    if sessions.is_empty() {
        say("no entry of a session was found");
    }
    for found in &sessions {
        let saved = Saved::write(&found.session, journal.export(found), to)?;
        is_whole &= found.missing.is_empty() && found.missing_blobs.is_empty() && saved.unreadable == 0;
        say(&sentence(found, saved));
    }
    Ok(is_whole)
}

/// Writes a line to the standard error, if that has a reader.
fn say(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Numbers of lines of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Saved {
    entries: u64,
    /// Found, but not readable a second time.
    unreadable: u64,
}

impl Saved {
    fn write(
        session: &SessionId,
        lines: impl Iterator<Item = io::Result<String>>,
        to: &mut JsonLines<impl Write>,
    ) -> Result<Self, Failure> {
        // One file may hold several sessions, so each line names its own.
        let name = serde_json::to_string(session).map_err(Failure::of)?;
        let mut saved = Self::default();
        for line in lines {
            // The next line may lie on a sound part of the disk.
            let Ok(line) = line else {
                saved.unreadable += 1;
                continue;
            };
            saved.entries += u64::from(line.starts_with("{\"seq\""));
            to.write(&format!("{{\"session\":{name},{}", line.trim_start_matches('{')))?;
        }
        Ok(saved)
    }
}

fn sentence(found: &SalvagedSession, saved: Saved) -> String {
    let session = Plain(found.session.as_str());
    let mut text = format!("{session}: {} of {} entries saved", saved.entries, found.last);
    if saved.unreadable > 0 {
        text.push_str(&format!("; {} lines can't be read", saved.unreadable));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_cannot_be_read_costs_no_other_line() {
        let lines = [
            Ok("{\"seq\":1,\"entry\":{}}".to_owned()),
            Err(io::ErrorKind::InvalidData.into()),
            Ok("{\"blob\":\"0a\",\"data\":\"\"}".to_owned()),
            Ok("{\"seq\":3,\"entry\":{}}".to_owned()),
        ];
        let mut written = Vec::new();
        let mut to = JsonLines::file(&mut written);
        let saved = Saved::write(&SessionId::new("s"), lines.into_iter(), &mut to).unwrap();
        assert_eq!(
            saved,
            Saved {
                entries: 2,
                unreadable: 1
            }
        );
        assert_eq!(
            String::from_utf8(written).unwrap(),
            "{\"session\":\"s\",\"seq\":1,\"entry\":{}}\n{\"session\":\"s\",\"blob\":\"0a\",\"data\":\"\"}\n\
             {\"session\":\"s\",\"seq\":3,\"entry\":{}}\n"
        );
    }
}
