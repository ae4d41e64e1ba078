//! Reading and searching a memory.

use std::sync::Arc;

use async_tool_runtime::{future::BoxStream, journal::ReadError, task::Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{Note, NoteId, Recalled, note::TAG_END, query::Query};
use crate::{
    SqliteJournal, StoreError,
    journal::run_piece,
    schema::{VERSION_WITH_NOTES, place, seq_of},
    stream::{Piece, Pieces},
};

/// Summary of a scope, without its notes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemorySummary {
    /// The scope's name.
    pub scope: Arc<str>,
    /// Number of its notes.
    pub notes: u64,
}

impl SqliteJournal {
    /// Streams the scopes that ever had notes, in the order of their first notes.
    #[must_use = "streams do nothing unless polled"]
    pub fn memories(&self) -> BoxStream<'static, Result<MemorySummary, ReadError>> {
        Box::pin(Pieces::new(&self.shared, 0, |connection, after| {
            run_piece(summaries(connection, after))
        }))
    }
}

/// Number of rows read at a time.
const PAGE: i64 = 256;

fn summaries(connection: &Connection, after: i64) -> Result<Piece<i64, MemorySummary>, StoreError> {
    let mut piece = Piece::default();
    if !has_notes(connection)? {
        return Ok(piece);
    }
    let mut statement = connection
        .prepare_cached("SELECT number, name, notes FROM scopes WHERE number > ?1 ORDER BY number LIMIT ?2")?;
    let mut rows = statement.query(params![after, PAGE])?;
    while let Some(row) = rows.next()? {
        piece.next = Some(row.get(0)?);
        piece.items.push_back(Ok(MemorySummary {
            scope: row.get::<_, String>(1)?.into(),
            notes: row.get(2)?,
        }));
    }
    Ok(piece)
}

/// The number of a scope; `None` if it never had notes.
pub(super) fn scope_number(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT number FROM scopes WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

/// Reads some notes after the given one, in order of their first write.
pub(super) fn page(connection: &Connection, (scope, after): (Arc<str>, u32)) -> Piece<(Arc<str>, u32), Note> {
    run_piece(read_page(connection, scope, after))
}

fn read_page(connection: &Connection, name: Arc<str>, after: u32) -> Result<Piece<(Arc<str>, u32), Note>, StoreError> {
    let mut piece = Piece::default();
    let Some(scope) = readable(connection, &name)? else {
        return Ok(piece);
    };
    let mut statement = connection.prepare_cached(
        "SELECT place, text, tags, written, touched FROM notes WHERE place > ?1 AND place <= ?2 ORDER BY place LIMIT ?3",
    )?;
    let mut rows = statement.query(params![place(scope, after.into()), place(scope, u64::MAX), PAGE])?;
    while let Some(row) = rows.next()? {
        let note = note(row)?;
        piece.next = Some((Arc::clone(&name), note.id.as_u32()));
        piece.items.push_back(Ok(note));
    }
    Ok(piece)
}

/// Finds the best matches: notes with all words, or, if there are none, notes with any word. Without words, the newest
/// notes.
pub(super) fn recall(
    connection: &Connection,
    scope: &str,
    query: &str,
    limit: usize,
    bytes: usize,
) -> rusqlite::Result<Vec<Recalled>> {
    let Some(scope) = readable(connection, scope)? else {
        return Ok(Vec::new());
    };
    let range = (place(scope, 0), place(scope, u64::MAX));
    let Some(query) = Query::new(query) else {
        return newest(connection, range, limit, bytes);
    };
    let found = fitting(connection, &query.all, range, limit, bytes)?;
    if found.is_empty() && query.any != query.all {
        return fitting(connection, &query.any, range, limit, bytes);
    }
    Ok(found)
}

fn fitting(
    connection: &Connection,
    expression: &str,
    range: (i64, i64),
    limit: usize,
    bytes: usize,
) -> rusqlite::Result<Vec<Recalled>> {
    let mut statement = connection.prepare_cached(
        "SELECT place, notes.text, notes.tags, written, touched, -bm25(notes_index) AS score
         FROM notes_index JOIN notes ON place = notes_index.rowid
         WHERE notes_index MATCH ?1 AND notes_index.rowid BETWEEN ?2 AND ?3
         ORDER BY score DESC, touched DESC, place DESC LIMIT ?4",
    )?;
    let rows = statement.query_map(params![expression, range.0, range.1, limit], recalled)?;
    within(rows, bytes)
}

fn newest(connection: &Connection, range: (i64, i64), limit: usize, bytes: usize) -> rusqlite::Result<Vec<Recalled>> {
    let mut statement = connection.prepare_cached(
        "SELECT place, text, tags, written, touched, 0.0 AS score FROM notes WHERE place BETWEEN ?1 AND ?2
         ORDER BY touched DESC, place DESC LIMIT ?3",
    )?;
    let rows = statement.query_map(params![range.0, range.1, limit], recalled)?;
    within(rows, bytes)
}

/// Takes the first row, and as many further rows as fit.
fn within(rows: impl Iterator<Item = rusqlite::Result<Recalled>>, most: usize) -> rusqlite::Result<Vec<Recalled>> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    for row in rows {
        let recalled = row?;
        bytes += recalled.note.text.len() + recalled.note.tags.iter().map(String::len).sum::<usize>();
        if bytes > most && !found.is_empty() {
            break;
        }
        found.push(recalled);
    }
    Ok(found)
}

/// The number of the scope; `None` if it has no notes to read.
fn readable(connection: &Connection, scope: &str) -> rusqlite::Result<Option<i64>> {
    if has_notes(connection)? {
        scope_number(connection, scope)
    } else {
        Ok(None)
    }
}

/// True if the file has tables for notes. A file that this version never opened for writing has none.
fn has_notes(connection: &Connection) -> rusqlite::Result<bool> {
    let version: i32 = connection
        .prepare_cached("PRAGMA user_version")?
        .query_row([], |row| row.get(0))?;
    Ok(version >= VERSION_WITH_NOTES)
}

fn recalled(row: &Row<'_>) -> rusqlite::Result<Recalled> {
    Ok(Recalled {
        note: note(row)?,
        score: row.get("score")?,
    })
}

fn note(row: &Row<'_>) -> rusqlite::Result<Note> {
    let tags: String = row.get("tags")?;
    Ok(Note {
        id: NoteId::new(u32::try_from(seq_of(row.get("place")?)).unwrap_or(u32::MAX)),
        text: row.get("text")?,
        tags: tags.split_terminator(TAG_END).map(ToOwned::to_owned).collect(),
        written: Timestamp::from_millis(row.get("written")?),
        touched: Timestamp::from_millis(row.get("touched")?),
    })
}
