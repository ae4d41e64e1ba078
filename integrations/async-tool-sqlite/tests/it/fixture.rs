//! Directories, entries and helpers for the tests.

use std::path::PathBuf;

use async_tool_runtime::{
    Journal, SessionId,
    journal::{AppendError, Claim, Entry, ReadError, Seq, SessionFilter},
    task::Timestamp,
};
use async_tool_sqlite::SqliteJournal;
use futures_util::StreamExt as _;
use tempfile::TempDir;

/// A temporary directory for a journal.
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("sessions.db")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn open(&self) -> SqliteJournal {
        SqliteJournal::open(self.path()).unwrap()
    }

    /// The names of all files, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<_> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

pub(crate) fn session(name: &str) -> SessionId {
    SessionId::new(name)
}

/// The entry with this number.
pub(crate) fn message(number: u64) -> Entry {
    Entry::UserMessage {
        text: format!("message {number}"),
        media: Vec::new(),
        traceparent: None,
        at: Timestamp::from_millis(number),
    }
}

/// `count` entries after `after`.
pub(crate) fn messages(after: u64, count: u64) -> Vec<Entry> {
    (after + 1..=after + count).map(message).collect()
}

pub(crate) fn closed() -> Entry {
    Entry::Closed {
        at: Timestamp::from_millis(1),
    }
}

/// Appends `count` messages after `after`. The open journal keeps the session for a while, but no claim does.
pub(crate) async fn write(journal: &SqliteJournal, name: &str, after: u64, count: u64) -> Result<u64, AppendError> {
    write_as(&Claim::new(), journal, name, after, count).await
}

/// Appends `count` messages after `after` with this claim.
pub(crate) async fn write_as(
    claim: &Claim,
    journal: &SqliteJournal,
    name: &str,
    after: u64,
    count: u64,
) -> Result<u64, AppendError> {
    let entries = messages(after, count);
    let last = journal.append(&session(name), claim, Seq::new(after), &entries).await;
    last.map(Seq::as_u64)
}

pub(crate) async fn read_after(
    journal: &SqliteJournal,
    name: &str,
    after: u64,
) -> Result<Vec<(u64, Entry)>, ReadError> {
    let session = session(name);
    let read = journal.read(&session, Seq::new(after));
    let all: Vec<_> = read
        .map(|item| item.map(|(seq, entry)| (seq.as_u64(), entry)))
        .collect()
        .await;
    all.into_iter().collect()
}

pub(crate) async fn read(journal: &SqliteJournal, name: &str) -> Vec<Entry> {
    let numbered = read_after(journal, name, 0).await.unwrap();
    assert!(numbered.iter().map(|(seq, _)| *seq).eq(1..=numbered.len() as u64));
    numbered.into_iter().map(|(_, entry)| entry).collect()
}

pub(crate) async fn names(journal: &SqliteJournal, filter: SessionFilter) -> Vec<String> {
    let names = journal.sessions(filter);
    let mut names: Vec<_> = names.map(|name| name.unwrap().as_str().to_owned()).collect().await;
    names.sort();
    names
}

/// An error and its sources, in one line.
pub(crate) fn why(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The checksum of an entry, as the format defines it.
pub(crate) fn checksum(session: &str, seq: u64, entry: &[u8]) -> u32 {
    let mut bytes = (session.len() as u64).to_le_bytes().to_vec();
    bytes.extend(session.as_bytes());
    bytes.extend(seq.to_le_bytes());
    bytes.extend(entry);
    crc32fast::hash(&bytes)
}
