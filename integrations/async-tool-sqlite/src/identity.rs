//! Checks that the files which a journal has open are still those at its path.
//!
//! SQLite goes on writing to a file that was deleted or replaced, and its log to a file that was cut off. All this
//! succeeds, and no later process finds any of it.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags};

use crate::{
    OpenCheck, StoreError, file,
    log::{FRAME_HEADER, Header},
};

/// The file, its log and the log's index, as the writer has opened them.
#[derive(Debug)]
pub(crate) struct Identity {
    parts: [Part; 3],
    /// Nothing locks the log, so that it can be opened past SQLite.
    log: File,
    /// Length of the file when it was last looked at. Only a compaction shortens it.
    length: u64,
    check: OpenCheck,
}

#[derive(Debug)]
struct Part {
    path: PathBuf,
    id: file::Id,
}

impl Identity {
    /// Remembers the files of a writer that has written.
    pub(crate) fn new(connection: &Connection, journal: &Path, check: OpenCheck) -> io::Result<Self> {
        let part = |path: PathBuf| {
            let id = file::Id::of(&fs::metadata(&path)?);
            io::Result::Ok(Part { path, id })
        };
        let log = file::log(journal);
        let identity = Self {
            parts: [
                part(journal.to_owned())?,
                part(log.clone())?,
                part(file::log_index(journal))?,
            ],
            log: File::open(log)?,
            length: fs::metadata(journal)?.len(),
            check,
        };
        if has_moved(connection) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(identity)
    }

    /// Fails if a file is missing, replaced, or without something that it must contain. SQLite has the files open, so
    /// their numbers are not used again meanwhile.
    pub(crate) fn check(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let mut length = 0;
        for part in &self.parts {
            let found = fs::metadata(&part.path)
                .ok()
                .filter(|found| file::Id::of(found) == part.id);
            let Some(found) = found else {
                return Err(gone(&part.path));
            };
            // The first part is the file.
            length = if length == 0 { found.len().max(1) } else { length };
        }
        if has_moved(connection) {
            return Err(gone(&self.parts[0].path));
        }
        // SQLite deletes the log of an empty file, so that one isn't opened.
        if length < self.length && (length < 512 || !self.is_sound()?) {
            return Err(gone(&self.parts[0].path));
        }
        self.length = length;
        // Another process may restart the log between two looks, so one bad look is no proof.
        if !self.holds_log(connection)? && !self.holds_log(connection)? {
            return Err(gone(&self.parts[1].path));
        }
        Ok(())
    }

    /// Makes the log unreadable, so that a check fails as soon as the log has a frame.
    #[cfg(test)]
    pub(crate) fn blind(&mut self) {
        self.log = fs::OpenOptions::new().append(true).open(&self.parts[1].path).unwrap();
    }

    /// True if the log begins with a header, has all frames that SQLite counts in it, and ends with the last commit.
    fn holds_log(&mut self, connection: &Connection) -> Result<bool, StoreError> {
        let frames: i64 = connection
            .prepare_cached("PRAGMA wal_checkpoint(NOOP)")?
            .query_row([], |row| row.get(1))?;
        let Ok(last) = u64::try_from(frames - 1) else {
            // Everything is in the file.
            return Ok(true);
        };
        let mut read = || -> io::Result<bool> {
            let log = &mut self.log;
            log.seek(SeekFrom::Start(0))?;
            let Some(header) = Header::read(log)? else {
                return Ok(false);
            };
            log.seek(SeekFrom::Start(header.place(last)))?;
            let mut frame = [0; FRAME_HEADER];
            log.read_exact(&mut frame)?;
            Ok(header.is_commit(&frame) && log.metadata()?.len() >= header.place(last + 1))
        };
        match read() {
            Ok(is_there) => Ok(is_there),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(StoreError::other(error)),
        }
    }

    /// Checks a file that became shorter, with a connection that has none of its pages in memory.
    fn is_sound(&self) -> Result<bool, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.parts[0].path, flags)?;
        let check = || match self.check.pragma(&connection)? {
            Some(pragma) => connection.query_row(pragma, [], |row| Ok(row.get::<_, String>(0)? == "ok")),
            None => connection.query_row("SELECT count(*) FROM owners", [], |_| Ok(true)),
        };
        Ok(check().unwrap_or(false))
    }
}

fn gone(path: &Path) -> StoreError {
    StoreError::Gone { path: path.to_owned() }
}

/// True if the path leads to another file than the one that SQLite has open.
fn has_moved(connection: &Connection) -> bool {
    #[cfg(unix)]
    {
        let mut has_moved = 0;
        let asked = connection.file_control(None::<&str>, rusqlite::FileControl::HasMoved(&mut has_moved));
        asked.is_ok() && has_moved != 0
    }
    // Windows refuses to move an open file.
    #[cfg(not(unix))]
    {
        let _ = connection;
        false
    }
}
