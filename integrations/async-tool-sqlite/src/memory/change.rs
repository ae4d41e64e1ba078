//! One change of a memory, within the transaction of its group.

use std::sync::Arc;

use async_tool_runtime::task::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;

use super::{MemoryError, NewNote, NoteId, note::TAG_END, search::scope_number, words::indexed};
use crate::{StoreError, schema::place};

/// Number of note keys kept. A repeated call was first made a moment ago, or before the process restarted, so its key
/// is recent.
const KEYS: i64 = 65_536;

/// A change request, with the channel for its answer.
#[derive(Debug)]
pub(crate) struct Change {
    scope: Arc<str>,
    request: Request,
    outcome: Option<Result<Done, MemoryError>>,
    reply: oneshot::Sender<Result<Done, MemoryError>>,
}

#[derive(Debug)]
pub(super) enum Request {
    Remember {
        note: NewNote,
        /// Maximum number of notes in the scope.
        most: u64,
        /// Maximum size of the note, in bytes.
        most_bytes: usize,
    },
    Forget(NoteId),
}

/// Result of a change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    pub(super) id: NoteId,
    /// True if a note was added or removed.
    pub(super) is_changed: bool,
}

impl Change {
    pub(super) const fn new(
        scope: Arc<str>,
        request: Request,
        reply: oneshot::Sender<Result<Done, MemoryError>>,
    ) -> Self {
        Self {
            scope,
            request,
            outcome: None,
            reply,
        }
    }

    /// Size that the change adds to its group, in bytes: the text, and its words once more.
    pub(crate) fn weight(&self) -> usize {
        match &self.request {
            Request::Remember { note, .. } => 2 * note.bytes() + 256,
            Request::Forget(_) => 256,
        }
    }

    /// Makes the change as a whole or not at all. After an error, the caller must roll the transaction back.
    pub(crate) fn write(&mut self, transaction: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        let outcome = match &self.request {
            Request::Remember { note, most, most_bytes } => {
                self.remember(transaction, note, *most, *most_bytes, now)?
            }
            Request::Forget(id) => self.forget(transaction, *id)?,
        };
        self.outcome = Some(outcome);
        Ok(())
    }

    /// Sends the result to the caller, if it still waits.
    pub(crate) fn answer(self, written: Result<(), StoreError>) {
        let outcome = match written {
            Ok(()) => self.outcome.unwrap_or(Err(StoreError::Stopped.into())),
            Err(error) => Err(error.into()),
        };
        let _ = self.reply.send(outcome);
    }

    fn remember(
        &self,
        transaction: &Connection,
        note: &NewNote,
        most: u64,
        most_bytes: usize,
        now: Timestamp,
    ) -> rusqlite::Result<Result<Done, MemoryError>> {
        let digest: [u8; 32] = Sha256::digest(note.text.as_bytes()).into();
        let scope = scope_number(transaction, &self.scope)?;
        if let Some(scope) = scope {
            let known = match find_key(transaction, scope, note)? {
                Some(id) => Some(id),
                None => touch(transaction, scope, note, most_bytes, &digest, now)?,
            };
            if let Some(id) = known {
                keep_key(transaction, scope, note, id)?;
                return Ok(Ok(Done { id, is_changed: false }));
            }
        }
        let notes: u64 = match scope {
            Some(scope) => transaction
                .prepare_cached("SELECT notes FROM scopes WHERE number = ?1")?
                .query_row([scope], |row| row.get(0))?,
            None => 0,
        };
        if notes >= most {
            return Ok(Err(MemoryError::TooMany { limit: most }));
        }
        let (scope, id): (i64, u32) = transaction
            .prepare_cached(
                "INSERT INTO scopes (name, notes, last) VALUES (?1, 1, 1)
                 ON CONFLICT (name) DO UPDATE SET notes = notes + 1, last = last + 1 RETURNING number, last",
            )?
            .query_row([&*self.scope], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (id, at) = (NoteId::new(id), place(scope, u64::from(id)));
        let tags: String = note.tags.iter().flat_map(|tag| tag.chars().chain([TAG_END])).collect();
        transaction
            .prepare_cached(
                "INSERT INTO notes (place, text, tags, digest, written, touched) VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
            )?
            .execute(params![at, note.text, tags, digest, now.as_millis()])?;
        index(transaction, at, &note.text, &tags)?;
        keep_key(transaction, scope, note, id)?;
        Ok(Ok(Done { id, is_changed: true }))
    }

    fn forget(&self, transaction: &Connection, id: NoteId) -> rusqlite::Result<Result<Done, MemoryError>> {
        let scope = transaction
            .prepare_cached("SELECT number FROM scopes WHERE name = ?1 AND ?2 BETWEEN 1 AND last")?
            .query_row(params![&*self.scope, id.as_u32()], |row| row.get::<_, i64>(0))
            .optional()?;
        let Some(scope) = scope else {
            return Ok(Err(MemoryError::Unknown { id }));
        };
        let at = place(scope, u64::from(id.as_u32()));
        let is_changed = transaction
            .prepare_cached("DELETE FROM notes WHERE place = ?1")?
            .execute([at])?
            > 0;
        if is_changed {
            transaction
                .prepare_cached("DELETE FROM notes_index WHERE rowid = ?1")?
                .execute([at])?;
            transaction
                .prepare_cached("UPDATE scopes SET notes = notes - 1 WHERE number = ?1")?
                .execute([scope])?;
        }
        Ok(Ok(Done { id, is_changed }))
    }
}

fn find_key(transaction: &Connection, scope: i64, note: &NewNote) -> rusqlite::Result<Option<NoteId>> {
    let Some(key) = &note.key else { return Ok(None) };
    transaction
        .prepare_cached("SELECT note FROM note_keys WHERE scope = ?1 AND key = ?2")?
        .query_row(params![scope, &**key], |row| row.get(0).map(NoteId::new))
        .optional()
}

fn keep_key(transaction: &Connection, scope: i64, note: &NewNote, id: NoteId) -> rusqlite::Result<()> {
    let Some(key) = &note.key else { return Ok(()) };
    let added = transaction
        .prepare_cached("INSERT INTO note_keys (scope, key, note) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute(params![scope, &**key, id.as_u32()])?;
    if added > 0 {
        let last = transaction.last_insert_rowid();
        transaction
            .prepare_cached("DELETE FROM note_keys WHERE number <= ?1")?
            .execute([last - KEYS])?;
    }
    Ok(())
}

/// Updates the note with the same text: sets its time, and adds the new tags as far as they fit.
fn touch(
    transaction: &Connection,
    scope: i64,
    note: &NewNote,
    most_bytes: usize,
    digest: &[u8; 32],
    now: Timestamp,
) -> rusqlite::Result<Option<NoteId>> {
    let found = transaction
        .prepare_cached("SELECT place, seq, tags FROM notes WHERE scope = ?1 AND digest = ?2")?
        .query_row(params![scope, digest], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, u32>(1)?, row.get::<_, String>(2)?))
        })
        .optional()?;
    let Some((at, id, known)) = found else { return Ok(None) };
    transaction
        .prepare_cached("UPDATE notes SET touched = max(touched, ?2) WHERE place = ?1")?
        .execute(params![at, now.as_millis()])?;
    let mut tags = known.clone();
    let mut bytes = note.text.len() + known.len();
    for tag in &note.tags {
        bytes += tag.len() + 1;
        if bytes <= most_bytes && !known.split(TAG_END).any(|known| known == tag) {
            tags.push_str(tag);
            tags.push(TAG_END);
        }
    }
    if tags.len() > known.len() {
        transaction
            .prepare_cached("UPDATE notes SET tags = ?2 WHERE place = ?1")?
            .execute(params![at, tags])?;
        transaction
            .prepare_cached("DELETE FROM notes_index WHERE rowid = ?1")?
            .execute([at])?;
        index(transaction, at, &note.text, &tags)?;
    }
    Ok(Some(NoteId::new(id)))
}

fn index(transaction: &Connection, at: i64, text: &str, tags: &str) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO notes_index (rowid, text, tags) VALUES (?1, ?2, ?3)")?
        .execute(params![at, indexed(text), indexed(tags)])?;
    Ok(())
}
