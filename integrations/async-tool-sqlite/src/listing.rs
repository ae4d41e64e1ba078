//! Summaries of sessions, for tools.

use async_tool_runtime::{
    SessionId,
    future::BoxStream,
    journal::{ReadError, SessionFilter},
    task::Timestamp,
};
use rusqlite::{Connection, Row, params};

use crate::{
    SqliteJournal, StoreError,
    journal::run_piece,
    owner::Other,
    stream::{Piece, Pieces},
};

/// Summary of a session, without its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionSummary {
    /// The session's name.
    pub session: SessionId,
    /// Number of its entries.
    pub entries: u64,
    /// Time of its first entry, by the machine's clock.
    pub began: Timestamp,
    /// Time of its last entry, by the machine's clock.
    pub changed: Timestamp,
    /// True if its last entry is `Closed`.
    pub is_closed: bool,
    /// True if it is hash-chained.
    pub is_chained: bool,
    /// Size of its entries, in bytes of JSON.
    pub bytes: u64,
    /// Number of packed entries among them.
    pub packed_entries: u64,
    /// Size of the packed entries in the file, in bytes.
    pub packed_bytes: u64,
    /// The owner that may write it.
    pub ownership: Ownership,
}

/// The owner that may write a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ownership {
    /// No owner; any journal may take the session up. It is closed, or its owner has closed the journal or is dead.
    Free,
    /// This journal.
    This,
    /// Another open journal.
    Other {
        /// The operating system's id of its process.
        process: u32,
        /// Time of its last sign of life, by its own clock. An owner whose process lives shows one every quarter of its lease, so
        /// an old one is that of a hanging process, or of a wrong clock.
        heard_from: Timestamp,
    },
}

impl SqliteJournal {
    /// Streams the sessions that have entries, in the order in which they began.
    #[must_use = "streams do nothing unless polled"]
    pub fn list(&self, filter: SessionFilter) -> BoxStream<'static, Result<SessionSummary, ReadError>> {
        let start = List {
            journal: self.clone(),
            is_open_only: filter == SessionFilter::Open,
            after: 0,
        };
        Box::pin(Pieces::new(&self.shared, start, |connection, list: List| {
            run_piece(list.page(connection))
        }))
    }

    /// Returns one session's summary, or `None` if it has no entries.
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the file can't be read.
    pub async fn summary(&self, session: &SessionId) -> Result<Option<SessionSummary>, ReadError> {
        let (journal, session) = (self.clone(), session.clone());
        let summary = self.shared.reader().query(move |connection| {
            let mut statement =
                connection.prepare_cached(&format!("{COLUMNS} WHERE name = ?1 AND sessions.last > 0"))?;
            let mut rows = statement.query([session.as_str()])?;
            let row = rows.next()?;
            Ok(row.map(|row| journal.summarize(connection, row)).transpose()?)
        });
        Ok(summary.await?)
    }

    fn summarize(&self, connection: &Connection, row: &Row<'_>) -> rusqlite::Result<SessionSummary> {
        let name: String = row.get("name")?;
        let is_closed = row.get("closed")?;
        let owner: Option<i64> = row.get("owner")?;
        Ok(SessionSummary {
            session: SessionId::new(name),
            entries: row.get("last")?,
            began: Timestamp::from_millis(row.get("began")?),
            changed: Timestamp::from_millis(row.get("changed")?),
            is_closed,
            is_chained: row.get("is_chained")?,
            bytes: row.get("bytes")?,
            packed_entries: row.get("packed")?,
            packed_bytes: row.get("packed_bytes")?,
            ownership: match owner.filter(|_| !is_closed) {
                None => Ownership::Free,
                owner if owner == self.shared.owner() => Ownership::This,
                Some(owner) => self.ownership(connection, owner)?,
            },
        })
    }

    fn ownership(&self, connection: &Connection, owner: i64) -> rusqlite::Result<Ownership> {
        let Some(other) = Other::find(connection, owner)? else {
            return Ok(Ownership::Free);
        };
        Ok(match other.is_dead(self.path()) {
            true => Ownership::Free,
            false => Ownership::Other {
                process: other.process(),
                heard_from: other.heard_from(),
            },
        })
    }
}

const COLUMNS: &str =
    "SELECT number, name, last, closed, packed, owner, began, changed, bytes, head IS NOT NULL AS is_chained,
     (SELECT coalesce(sum(length(entries)), 0) FROM packs
      WHERE packs.place > sessions.number << 32 AND packs.place <= (sessions.number << 32 | 4294967295)) AS packed_bytes
     FROM sessions";

/// Position in the list.
struct List {
    journal: SqliteJournal,
    is_open_only: bool,
    after: i64,
}

impl List {
    /// Number of sessions read at a time.
    const PAGE: i64 = 256;

    fn page(mut self, connection: &Connection) -> Result<Piece<Self, SessionSummary>, StoreError> {
        let mut statement = connection.prepare_cached(&format!(
            "{COLUMNS} WHERE number > ?1 AND last > 0 AND NOT (closed AND ?2) ORDER BY number LIMIT ?3"
        ))?;
        let mut rows = statement.query(params![self.after, self.is_open_only, Self::PAGE])?;
        let mut piece = Piece::default();
        while let Some(row) = rows.next()? {
            self.after = row.get("number")?;
            piece.items.push_back(Ok(self.journal.summarize(connection, row)?));
        }
        if !piece.items.is_empty() {
            piece.next = Some(self);
        }
        Ok(piece)
    }
}
