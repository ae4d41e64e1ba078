//! Files that are deleted, replaced or cut off while a journal has them open.

use std::{
    fs::{self, OpenOptions},
    io,
    time::Duration,
};

use async_tool_runtime::journal::AppendError;
use async_tool_sqlite::{MemoryError, SqliteJournal, StoreError};

use crate::fixture::{Place, read, why, write};

fn is_gone(error: &AppendError) -> bool {
    let AppendError::Unavailable(cause) = error else {
        return false;
    };
    matches!(cause.downcast_ref(), Some(StoreError::Gone { .. }))
}

fn cut(place: &Place, name: &str, length: u64) -> io::Result<()> {
    OpenOptions::new().write(true).open(place.file(name))?.set_len(length)
}

/// Puts another, open journal's file at the place of this one.
fn replace(place: &Place, name: &str, is_in_place: bool) -> io::Result<()> {
    let other = Place::new();
    let journal = other.open();
    if is_in_place {
        fs::copy(other.file(name), place.file(name))?;
    } else {
        fs::copy(other.file(name), place.file("other"))?;
        fs::rename(place.file("other"), place.file(name))?;
    }
    drop(journal);
    Ok(())
}

type Loss = fn(&Place) -> io::Result<()>;

/// Each way to lose a file, and true if the file was the journal itself.
const LOSSES: [(&str, Loss); 13] = [
    ("the file is deleted", |place| fs::remove_file(place.path())),
    ("the log is deleted", |place| {
        fs::remove_file(place.file("sessions.db-wal"))
    }),
    ("the index of the log is deleted", |place| {
        fs::remove_file(place.file("sessions.db-shm"))
    }),
    ("all files are deleted", |place| {
        for name in place.names().iter().filter(|name| !name.contains("owner")) {
            fs::remove_file(place.file(name))?;
        }
        Ok(())
    }),
    ("the file is moved", |place| {
        fs::rename(place.path(), place.file("moved.db"))
    }),
    ("the log is moved", |place| {
        fs::rename(place.file("sessions.db-wal"), place.file("moved"))
    }),
    ("the file is replaced", |place| replace(place, "sessions.db", false)),
    ("the log is replaced", |place| replace(place, "sessions.db-wal", false)),
    ("the log is replaced in place", |place| {
        replace(place, "sessions.db-wal", true)
    }),
    ("the log is emptied", |place| cut(place, "sessions.db-wal", 0)),
    ("the log is cut off", |place| {
        cut(place, "sessions.db-wal", 32 + 3 * 4120)
    }),
    ("the log is cut off within a page", |place| {
        let length = fs::metadata(place.file("sessions.db-wal"))?.len();
        cut(place, "sessions.db-wal", length - 1)
    }),
    ("the file is emptied", |place| cut(place, "sessions.db", 0)),
];

#[tokio::test]
async fn nothing_is_acknowledged_that_no_file_holds() {
    for (name, lose) in LOSSES {
        let place = Place::new();
        // Half of the entries are in the file, half in the log.
        write(&place.open(), "a", 0, 50).await.unwrap();
        let journal = place.open();
        write(&journal, "a", 50, 50).await.unwrap();
        lose(&place).unwrap();
        let mut acknowledged = 0;
        for after in 100..200 {
            match write(&journal, "a", after, 1).await {
                Ok(_) => acknowledged += 1,
                Err(error) => {
                    assert!(is_gone(&error), "{name}: {}", why(&error));
                    assert!(why(&error).contains("sessions.db"), "{}", why(&error));
                }
            }
        }
        println!("{name}: {acknowledged} of 100 appends acknowledged");
        assert_eq!(acknowledged, 0, "{name}");
        let remembered = journal.memory("user").remember("a note").await;
        assert!(
            matches!(remembered, Err(MemoryError::Store(StoreError::Gone { .. }))),
            "{name}: {remembered:?}"
        );
        assert!(journal.compact().await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_file_that_was_put_back_is_written_again() {
    let place = Place::new();
    let journal = place.open();
    write(&journal, "a", 0, 3).await.unwrap();
    fs::rename(place.path(), place.file("moved.db")).unwrap();
    assert!(is_gone(&write(&journal, "a", 3, 1).await.unwrap_err()));
    fs::rename(place.file("moved.db"), place.path()).unwrap();
    write(&journal, "a", 3, 3).await.unwrap();
    drop(journal);
    assert_eq!(read(&place.open(), "a").await.len(), 6);
}

#[tokio::test]
async fn a_log_that_another_process_carries_over_or_shortens_is_no_loss() {
    let place = Place::new();
    let journal = place.open();
    let other = rusqlite::Connection::open(place.path()).unwrap();
    other.busy_timeout(Duration::from_secs(5)).unwrap();
    for round in 0..30 {
        write(&journal, "a", round * 20, 20).await.unwrap();
        let mode = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"][round as usize % 4];
        other
            .query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))
            .unwrap();
        if round % 10 == 9 {
            // Pages become free, and the file shorter.
            let second = SqliteJournal::open(place.path()).unwrap();
            second.compact().await.unwrap();
        }
    }
    assert_eq!(read(&journal, "a").await.len(), 600);
}
