//! One append, within the transaction of its group.

use std::{cell::RefCell, path::Path, time::Duration};

use async_tool_runtime::{
    SessionId,
    journal::{AppendError, Asked, Claim, Entry, Seq},
    task::Timestamp,
};
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::oneshot;

use crate::{
    StoreError, chain,
    chain::Hash,
    checksum::checksum,
    owner::{Other, Owner},
    page::hash,
    schema::place,
    tenants::Tenants,
    watch::Watches,
};

/// An append request, with the channel for its answer.
#[derive(Debug)]
pub(crate) struct Append {
    session: SessionId,
    claim: Claim,
    after: Seq,
    entries: Vec<String>,
    is_closing: bool,
    reply: oneshot::Sender<Result<Seq, AppendError>>,
}

/// Result of an append within its transaction.
pub(crate) type Outcome = Result<Seq, Refusal>;

/// Refusal of an append.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    /// `after` is not the last entry.
    Conflict(Seq),
    /// Another claim has the session. The time is that for which its owner must still be silent, if it is watched.
    Taken(Option<Duration>),
}

impl From<Refusal> for AppendError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Conflict(last) => Self::Conflict { last },
            Refusal::Taken(retry_after) => Self::Taken { retry_after },
        }
    }
}

/// Settings and memory that an append needs besides its transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writing<'a> {
    pub(crate) owner: &'a Owner,
    pub(crate) tenants: &'a RefCell<Tenants>,
    pub(crate) watches: &'a RefCell<Watches>,
    pub(crate) journal: &'a Path,
    /// Time of day, for people.
    pub(crate) now: Timestamp,
    /// Monotonic time.
    pub(crate) ticks: Duration,
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
        claim: &Claim,
        after: Seq,
        entries: &[Entry],
        reply: oneshot::Sender<Result<Seq, AppendError>>,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            session: session.clone(),
            claim: claim.clone(),
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

    /// Checks claim and fence, takes the session and adds the entries: all of this, or nothing and a refusal. After an
    /// error, the caller must roll the transaction back.
    pub(crate) fn write(&self, transaction: &Connection, writing: Writing<'_>) -> rusqlite::Result<Outcome> {
        let found = find(transaction, self.session.as_str())?;
        let is_open = found.as_ref().is_none_or(|found| !found.is_closed);
        if is_open && let Some(refusal) = self.check_claim(transaction, found.as_ref(), writing)? {
            return Ok(Err(refusal));
        }
        let last = Seq::new(found.as_ref().map_or(0, |found| found.last));
        if last != self.after {
            return Ok(Err(Refusal::Conflict(last)));
        }
        let written = self.add(transaction, found, writing)?;
        let mut tenants = writing.tenants.borrow_mut();
        if is_open && !self.is_closing {
            tenants.let_in(&self.session, &self.claim);
        } else {
            tenants.remove(&self.session);
        }
        Ok(written)
    }

    fn add(&self, transaction: &Connection, found: Option<Found>, writing: Writing<'_>) -> rusqlite::Result<Outcome> {
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
    ///
    /// `asked` is a moment before the transaction in which the claim was found as the owner.
    pub(crate) fn answer(self, result: Result<Outcome, StoreError>, (asked, lease): (Asked, Duration)) {
        let result = match result {
            Ok(Ok(last)) => {
                self.claim.confirm(asked, lease);
                Ok(last)
            }
            Ok(Err(refusal)) => Err(refusal.into()),
            Err(error) => Err(error.unavailable()),
        };
        let _ = self.reply.send(result);
    }

    /// Refuses an append to a session of another claim. Evicts the claim of this journal that another owner has robbed.
    fn check_claim(
        &self,
        transaction: &Connection,
        found: Option<&Found>,
        writing: Writing<'_>,
    ) -> rusqlite::Result<Option<Refusal>> {
        let owner = found.and_then(|found| found.owner);
        if owner != Some(writing.owner.number) {
            // A session that is this journal's in memory only: another owner has taken it, and perhaps left it since.
            writing.tenants.borrow_mut().evict(&self.session);
            if let Some(left) = held_by_another(transaction, owner, writing)? {
                return Ok(Some(Refusal::Taken(Some(left))));
            }
        }
        let tenant = writing.tenants.borrow().of(&self.session);
        let is_taken = self.claim.is_lost() || tenant.is_some_and(|tenant| tenant != self.claim);
        Ok(is_taken.then_some(Refusal::Taken(None)))
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
        let mut insert =
            transaction.prepare_cached("INSERT INTO entries (place, entry, link, sum) VALUES (?1, ?2, ?3, ?4)")?;
        for (seq, entry) in (self.after.as_u64() + 1..).zip(&self.entries) {
            head = head.map(|before| chain::link(&before, self.session.as_str(), seq, entry.as_bytes()));
            let sum = checksum(self.session.as_str(), seq, entry.as_bytes());
            insert.execute(params![place(number, seq), entry, head, sum])?;
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

/// Time for which another owner, the one in a session's row, must still be silent before the session can be taken.
pub(crate) fn held_by_another(
    connection: &Connection,
    owner: Option<i64>,
    writing: Writing<'_>,
) -> rusqlite::Result<Option<Duration>> {
    let Some(number) = owner.filter(|number| *number != writing.owner.number) else {
        return Ok(None);
    };
    let Some(other) = Other::find(connection, number)?.filter(|other| !other.is_dead(writing.journal)) else {
        return Ok(None);
    };
    Ok(writing.watches.borrow_mut().ask(number, &other, writing.ticks))
}

/// True if this owner is in the row of an open session.
pub(crate) fn is_owned(connection: &Connection, session: &SessionId, owner: &Owner) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM sessions WHERE name = ?1 AND owner = ?2 AND NOT closed")?
        .exists(params![session.as_str(), owner.number])
}
