//! One append, within the transaction of its group.

use std::path::Path;

use async_tool_runtime::{
    SessionId,
    journal::{AppendError, Entry, Seq},
    task::Timestamp,
};
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::oneshot;

use crate::{
    StoreError, chain,
    chain::Hash,
    owner::{Other, Owner},
    page::hash,
    schema::place,
};

/// An append request, with the channel for its answer.
#[derive(Debug)]
pub(crate) struct Append {
    session: SessionId,
    after: Seq,
    entries: Vec<String>,
    is_closing: bool,
    reply: oneshot::Sender<Result<Seq, AppendError>>,
}

/// Result of an append within its transaction.
pub(crate) type Outcome = Result<Seq, Held>;

/// Refusal by the fence: `after` is not the last entry, or another owner holds the session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) last: Seq,
    pub(crate) until: Option<Timestamp>,
}

impl From<Held> for AppendError {
    fn from(Held { last, until }: Held) -> Self {
        Self::Conflict { last, until }
    }
}

/// Settings that an append needs besides its transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writing<'a> {
    pub(crate) owner: &'a Owner,
    pub(crate) journal: &'a Path,
    pub(crate) now: Timestamp,
    pub(crate) is_chaining: bool,
}

/// A session's row.
struct Found {
    number: i64,
    last: u64,
    is_closed: bool,
    owner: Option<i64>,
    head: Option<Hash>,
}

impl Append {
    pub(crate) fn new(
        session: &SessionId,
        after: Seq,
        entries: &[Entry],
        reply: oneshot::Sender<Result<Seq, AppendError>>,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            session: session.clone(),
            after,
            entries: entries.iter().map(serde_json::to_string).collect::<Result<_, _>>()?,
            is_closing: matches!(entries.last(), Some(Entry::Closed { .. })),
            reply,
        })
    }

    /// Size that the append adds to its group, in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.entries.iter().map(|entry| entry.len() + 64).sum()
    }

    /// Checks the fence, claims the session and adds the entries: all of this, or nothing and `Held`. After an error,
    /// the caller must roll the transaction back.
    pub(crate) fn write(&self, transaction: &Connection, writing: Writing<'_>) -> rusqlite::Result<Outcome> {
        let session = self.session.as_str();
        let found = find(transaction, session)?;
        if let Err(held) = self.check_fence(transaction, found.as_ref(), writing)? {
            return Ok(Err(held));
        }
        let now = writing.now.as_millis();
        let Some(found) = found else {
            return self.begin(transaction, writing);
        };
        if self.entries.is_empty() {
            // A closed session needs no owner, and our own session needs no claim.
            if !found.is_closed && found.owner != Some(writing.owner.number) {
                transaction
                    .prepare_cached("UPDATE sessions SET owner = ?2 WHERE number = ?1")?
                    .execute(params![found.number, writing.owner.number])?;
            }
            return Ok(Ok(self.after));
        }
        let is_chained = if found.last == 0 {
            writing.is_chaining
        } else {
            found.head.is_some()
        };
        let head = self.add_entries(
            transaction,
            found.number,
            is_chained.then(|| found.head.unwrap_or(chain::ORIGIN)),
        )?;
        transaction
            .prepare_cached(
                "UPDATE sessions SET last = ?2, closed = ?3, owner = ?4, changed = ?5, bytes = bytes + ?6, head = ?7,
                 began = CASE last WHEN 0 THEN ?5 ELSE began END WHERE number = ?1",
            )?
            .execute(params![
                found.number,
                self.last(),
                self.is_closing,
                self.owner(writing),
                now,
                self.bytes(),
                head,
            ])?;
        if self.is_closing {
            // A closed session is never resumed, so its snapshot is useless.
            transaction
                .prepare_cached("DELETE FROM snapshots WHERE session = ?1")?
                .execute([found.number])?;
        }
        Ok(Ok(Seq::new(self.last())))
    }

    /// Sends the result to the caller, if it still waits.
    pub(crate) fn answer(self, result: Result<Outcome, StoreError>) {
        let result = match result {
            Ok(Ok(last)) => Ok(last),
            Ok(Err(held)) => Err(held.into()),
            Err(error) => Err(error.unavailable()),
        };
        let _ = self.reply.send(result);
    }

    fn check_fence(
        &self,
        transaction: &Connection,
        found: Option<&Found>,
        writing: Writing<'_>,
    ) -> rusqlite::Result<Result<(), Held>> {
        let last = Seq::new(found.map_or(0, |found| found.last));
        let until = match found {
            Some(found) if !found.is_closed => held_by_another(transaction, found.owner, writing)?,
            _ => None,
        };
        Ok(if until.is_some() || last != self.after {
            Err(Held { last, until })
        } else {
            Ok(())
        })
    }

    /// Makes the row of a new session.
    fn begin(&self, transaction: &Connection, writing: Writing<'_>) -> rusqlite::Result<Outcome> {
        let now = writing.now.as_millis();
        transaction
            .prepare_cached(
                "INSERT INTO sessions (name, last, closed, owner, began, changed, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)",
            )?
            .execute(params![
                self.session.as_str(),
                self.last(),
                self.is_closing,
                self.owner(writing),
                now,
                self.bytes()
            ])?;
        let number = transaction.last_insert_rowid();
        if let Some(head) = self.add_entries(transaction, number, writing.is_chaining.then_some(chain::ORIGIN))?
            && !self.entries.is_empty()
        {
            transaction
                .prepare_cached("UPDATE sessions SET head = ?2 WHERE number = ?1")?
                .execute(params![number, head])?;
        }
        Ok(Ok(Seq::new(self.last())))
    }

    /// Inserts the entries. Returns the last link if the session is chained.
    fn add_entries(
        &self,
        transaction: &Connection,
        number: i64,
        mut head: Option<Hash>,
    ) -> rusqlite::Result<Option<Hash>> {
        let mut insert = transaction.prepare_cached("INSERT INTO entries (place, entry, link) VALUES (?1, ?2, ?3)")?;
        for (seq, entry) in (self.after.as_u64() + 1..).zip(&self.entries) {
            head = head.map(|before| chain::link(&before, self.session.as_str(), seq, entry.as_bytes()));
            insert.execute(params![place(number, seq), entry, head])?;
        }
        Ok(head)
    }

    fn last(&self) -> u64 {
        self.after.as_u64() + self.entries.len() as u64
    }

    fn bytes(&self) -> i64 {
        self.entries.iter().map(|entry| entry.len() as i64).sum()
    }

    fn owner(&self, writing: Writing<'_>) -> Option<i64> {
        (!self.is_closing).then_some(writing.owner.number)
    }
}

fn find(transaction: &Connection, session: &str) -> rusqlite::Result<Option<Found>> {
    transaction
        .prepare_cached("SELECT number, last, closed, owner, head FROM sessions WHERE name = ?1")?
        .query_row([session], |row| {
            Ok(Found {
                number: row.get(0)?,
                last: row.get(1)?,
                is_closed: row.get(2)?,
                owner: row.get(3)?,
                head: hash(row.get_ref(4)?),
            })
        })
        .optional()
}

/// End of another owner's hold on the session with this owner in its row.
pub(crate) fn held_by_another(
    connection: &Connection,
    owner: Option<i64>,
    writing: Writing<'_>,
) -> rusqlite::Result<Option<Timestamp>> {
    let Some(number) = owner.filter(|number| *number != writing.owner.number) else {
        return Ok(None);
    };
    let other = Other::find(connection, number)?;
    Ok(other.and_then(|other| other.holds_until(writing.journal, writing.now)))
}
