//! Snapshots: at most one per session.

use async_tool_runtime::{
    SessionId,
    journal::{AppendError, Seq, Snapshot},
};
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::oneshot;

use crate::{
    StoreError,
    append::{Outcome, Refusal, Writing, held_by_another},
    checksum::checksum,
    error::is_damage,
    schema::has_sums,
};

/// A snapshot to store, with the channel for its answer.
#[derive(Debug)]
pub(crate) struct Keep {
    session: SessionId,
    snapshot: Snapshot,
    reply: oneshot::Sender<Result<(), AppendError>>,
}

impl Keep {
    pub(crate) fn new(session: SessionId, snapshot: Snapshot, reply: oneshot::Sender<Result<(), AppendError>>) -> Self {
        Self {
            session,
            snapshot,
            reply,
        }
    }

    pub(crate) fn weight(&self) -> usize {
        self.snapshot.state.len()
    }

    /// Replaces the previous snapshot. Skips a snapshot beyond the last entry, and one of a closed session, which is
    /// never resumed.
    pub(crate) fn write(&self, transaction: &Connection, writing: Writing<'_>) -> rusqlite::Result<Outcome> {
        let seq = self.snapshot.seq;
        let found = transaction
            .prepare_cached("SELECT number, last, closed, owner FROM sessions WHERE name = ?1")?
            .query_row([self.session.as_str()], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, u64>(1)?,
                    row.get::<_, bool>(2)?,
                    row.get(3)?,
                ))
            })
            .optional()?;
        let Some((number, last, is_closed, owner)) = found else {
            return Ok(Ok(seq));
        };
        if let Some(left) = held_by_another(transaction, owner, writing)? {
            return Ok(Err(Refusal::Taken(Some(left))));
        }
        if seq.as_u64() <= last && !is_closed {
            let sum = checksum(self.session.as_str(), seq.as_u64(), &self.snapshot.state);
            transaction
                .prepare_cached("INSERT OR REPLACE INTO snapshots (session, seq, state, sum) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![number, seq.as_u64(), self.snapshot.state, sum])?;
        }
        Ok(Ok(seq))
    }

    pub(crate) fn answer(self, result: Result<Outcome, StoreError>) {
        let result = match result {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(refusal)) => Err(refusal.into()),
            Err(error) => Err(error.unavailable()),
        };
        let _ = self.reply.send(result);
    }
}

/// Reads the snapshot of a session, unless it is beyond the last entry or damaged. Without one, all entries are folded.
pub(crate) fn read(connection: &Connection, session: &str) -> rusqlite::Result<Option<Snapshot>> {
    if !has_sums(connection)? {
        return Ok(None);
    }
    connection
        .prepare_cached(
            "SELECT snapshots.seq, state, sum FROM snapshots JOIN sessions ON number = session WHERE name = ?1 AND snapshots.seq <= last",
        )?
        .query_row([session], |row| {
            let (seq, state): (u64, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let is_intact = row.get(2).ok() == Some(checksum(session, seq, &state));
            Ok(is_intact.then(|| Snapshot::new(Seq::new(seq), state)))
        })
        .optional()
        .map(Option::flatten)
        .or_else(|error| if is_damage(&error) { Ok(None) } else { Err(error) })
}
