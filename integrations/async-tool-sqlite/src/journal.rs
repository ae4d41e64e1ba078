//! The journal's handle.

use std::{
    fmt,
    num::NonZeroU64,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_tool_runtime::{
    Journal, SessionId,
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Claim, Entry, ReadError, Seq, SessionFilter, Snapshot, read_json},
};
use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use crate::{
    OpenError, OpenReport, SqliteJournalBuilder, StoreError,
    append::Append,
    blob::{self, Found},
    clock::Clock,
    error::is_damage,
    file::Opened,
    page::{Page, Raw},
    reader::Reader,
    release::Release,
    remove::remove,
    snapshot::{self, Keep},
    stream::{Piece, Pieces},
    worker::Worker,
    writer::Command,
};

/// A journal in one SQLite file.
///
/// A handle is cheap to clone. Dropping the last handle writes all queued entries, gives up the journal's sessions, and
/// ends its threads. The drop waits for that; where a thread must not block, use [`close`](Self::close).
///
/// # Cancel safety
///
/// If an append's future is dropped, its entries are written as a whole or not at all. Once polled, the append is
/// written, unless the fence refuses it.
#[derive(Clone)]
pub struct SqliteJournal {
    pub(crate) shared: Arc<Shared>,
}

/// State shared by all handles. Field order matters: the reader's connection must close before the writer's, which then
/// checkpoints the log, and both before the file counts as closed.
pub(crate) struct Shared {
    reader: Reader,
    writer: Option<(Worker<Command>, i64)>,
    clock: Clock,
    report: OpenReport,
    opened: Opened,
}

impl Shared {
    pub(crate) const fn new(
        opened: Opened,
        reader: Reader,
        writer: Option<(Worker<Command>, i64)>,
        clock: Clock,
        report: OpenReport,
    ) -> Self {
        Self {
            reader,
            writer,
            clock,
            report,
            opened,
        }
    }

    pub(crate) const fn reader(&self) -> &Reader {
        &self.reader
    }

    pub(crate) fn path(&self) -> &Path {
        &self.opened.path
    }

    pub(crate) const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The writer thread.
    pub(crate) fn writer(&self) -> Result<&Worker<Command>, StoreError> {
        self.writer
            .as_ref()
            .map(|(writer, _)| writer)
            .ok_or(StoreError::ReadOnly)
    }

    /// The number of this owner.
    pub(crate) fn owner(&self) -> Option<i64> {
        self.writer.as_ref().map(|(_, owner)| *owner)
    }
}

impl SqliteJournal {
    /// Opens the file at `path`, or creates it, with all defaults. See [`SqliteJournalBuilder::open`].
    ///
    /// # Errors
    ///
    /// [`OpenError`]. A refused file stays unchanged.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, OpenError> {
        Self::builder(path).open()
    }

    /// Opens the file at `path` for reading, also during writes of other processes. See
    /// [`SqliteJournalBuilder::open_read_only`].
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open_read_only(path: impl Into<PathBuf>) -> Result<Self, OpenError> {
        Self::builder(path).open_read_only()
    }

    /// Makes a builder for the journal at `path`.
    pub fn builder(path: impl Into<PathBuf>) -> SqliteJournalBuilder {
        SqliteJournalBuilder::new(path.into())
    }

    pub(crate) fn of(shared: Shared) -> Self {
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The file's path, with links resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.shared.path()
    }

    /// Losses of earlier processes that the opening found. A warning to the subscriber of `tracing` says the same.
    ///
    /// The first journal to open the file after the loss gets the report.
    #[must_use]
    pub fn open_report(&self) -> &OpenReport {
        &self.shared.report
    }

    /// Drops this handle on its own thread, and waits for the drop. Dropping the last handle closes the journal.
    pub async fn close(self) {
        let (done, closed) = oneshot::channel::<()>();
        // If no thread can be started, the handle is dropped here, with the closure.
        let _ = std::thread::Builder::new()
            .name("async-tool-sqlite-close".to_owned())
            .spawn(move || {
                drop(self);
                drop(done);
            });
        let _ = closed.await;
    }

    async fn append_all(
        &self,
        session: &SessionId,
        claim: &Claim,
        after: Seq,
        entries: &[Entry],
    ) -> Result<Seq, AppendError> {
        let writer = self.shared.writer().map_err(StoreError::unavailable)?;
        let (reply, answer) = oneshot::channel();
        let append = Append::new(session, claim, after, entries, reply);
        writer.send(Command::Append(
            append.map_err(|error| StoreError::other(error).unavailable())?,
        ));
        answer.await.unwrap_or_else(|_| Err(StoreError::Stopped.unavailable()))
    }

    /// Runs a task on the writer thread.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.shared.writer()?.send(Command::Run(Box::new(move |connection| {
            if !reply.is_closed() {
                let _ = reply.send(connection.and_then(|connection| Ok(task(connection)?)));
            }
        })));
        answer.await.map_err(|_| StoreError::Stopped)?
    }

    /// Limits the file's size, in pages of 4 KiB; `None` removes the limit. For tests of a full disk.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    #[doc(hidden)]
    pub async fn limit_pages(&self, pages: Option<u32>) -> Result<(), StoreError> {
        let pages = pages.unwrap_or(u32::MAX - 1);
        self.write(move |file| file.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())))
            .await
    }

    async fn release_one(&self, session: &SessionId, claim: &Claim) -> Result<(), AppendError> {
        // A journal that was opened for reading holds nothing.
        let Ok(writer) = self.shared.writer() else {
            return Ok(());
        };
        let (reply, answer) = oneshot::channel();
        writer.send(Command::Release(Release::new(session.clone(), claim.clone(), reply)));
        answer.await.unwrap_or_else(|_| Err(StoreError::Stopped.unavailable()))
    }

    async fn keep(&self, session: &SessionId, snapshot: Snapshot) -> Result<(), AppendError> {
        let writer = self.shared.writer().map_err(StoreError::unavailable)?;
        let (reply, answer) = oneshot::channel();
        writer.send(Command::Keep(Keep::new(session.clone(), snapshot, reply)));
        answer.await.unwrap_or_else(|_| Err(StoreError::Stopped.unavailable()))
    }
}

impl Journal for SqliteJournal {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        Box::pin(self.append_all(session, claim, after, entries))
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        Box::pin(Pieces::new(
            &self.shared,
            Place::new(session.clone(), after),
            read_entries,
        ))
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        Box::pin(Pieces::new(&self.shared, (filter, 0), read_names))
    }

    fn release<'a>(&'a self, session: &'a SessionId, claim: &'a Claim) -> BoxFuture<'a, Result<(), AppendError>> {
        Box::pin(self.release_one(session, claim))
    }

    fn put_blob<'a>(
        &'a self,
        session: &'a SessionId,
        bytes: &'a Arc<[u8]>,
    ) -> BoxFuture<'a, Result<Option<Arc<str>>, AppendError>> {
        let (session, bytes) = (session.clone(), Arc::clone(bytes));
        Box::pin(async move {
            let put = self.write(move |file| blob::put(file, session.as_str(), &bytes));
            put.await.map_err(StoreError::unavailable)
        })
    }

    fn blob<'a>(
        &'a self,
        session: &'a SessionId,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<[u8]>>, ReadError>> {
        let (session, name) = (session.clone(), name.to_owned());
        Box::pin(async move {
            let reader = self.shared.reader();
            let found = reader.query(move |file| Ok(blob::find(file, session.as_str(), &name)?));
            Ok(match found.await? {
                Found::Bytes(bytes) => Some(bytes.into()),
                // A session goes on without a damaged image; `verify` tells of it.
                Found::Missing | Found::Damaged => None,
            })
        })
    }

    fn remove<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<bool, AppendError>> {
        let session = session.clone();
        Box::pin(async move {
            let removed = self.write(move |file| remove(file, session.as_str()));
            removed.await.map_err(StoreError::unavailable)
        })
    }

    fn snapshot_every(&self) -> Option<NonZeroU64> {
        const { NonZeroU64::new(1_000) }
    }

    fn keep_snapshot<'a>(
        &'a self,
        session: &'a SessionId,
        snapshot: Snapshot,
    ) -> BoxFuture<'a, Result<(), AppendError>> {
        Box::pin(self.keep(session, snapshot))
    }

    fn snapshot<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Option<Snapshot>, ReadError>> {
        let name = session.clone();
        Box::pin(async move {
            let snapshot = self
                .shared
                .reader()
                .query(move |file| Ok(snapshot::read(file, name.as_str())?));
            Ok(snapshot.await?)
        })
    }
}

impl fmt::Debug for SqliteJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteJournal")
            .field("path", &self.shared.opened.path)
            .field("is_read_only", &self.shared.writer.is_none())
            .finish_non_exhaustive()
    }
}

/// Place in a session from which it is read.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) session: SessionId,
    after: u64,
    /// True if an earlier piece has found that entries follow.
    goes_on: bool,
}

impl Place {
    pub(crate) const fn new(session: SessionId, after: Seq) -> Self {
        Self {
            session,
            after: after.as_u64(),
            goes_on: false,
        }
    }
}

/// Reads raw entries of a session and the position after them. Ends with an error if the next entry is missing or
/// damaged.
pub(crate) fn read_raw(connection: &Connection, place: Place) -> Piece<Place, Raw> {
    let Place {
        session,
        after,
        goes_on,
    } = place;
    let page = match Page::read(connection, session.as_str(), after) {
        Ok(page) => page,
        Err(error) if is_damage(&error) => {
            return Piece::failed(StoreError::Unreadable {
                session,
                seq: Seq::new(after + 1),
                source: error.into(),
            });
        }
        Err(error) => return Piece::failed(error),
    };
    let mut known = after;
    let mut piece = Piece {
        items: page.entries.into_iter().map(Ok).collect(),
        next: None,
    };
    if let Some(gap) = piece.items.iter().flatten().position(|raw| {
        known += 1;
        raw.seq != known
    }) {
        piece.items.truncate(gap);
    } else if let Some(damage) = page.damage {
        known += 1;
        piece.items.push_back(Err(StoreError::Unreadable {
            session,
            seq: Seq::new(known),
            source: damage.into(),
        }));
        return piece;
    } else if goes_on && page.last <= after {
        // The session was removed meanwhile. Its beginning alone would look like the whole.
        known += 1;
    } else if known >= page.last {
        // The session's row is damaged: it ends before its entries do.
        if page.is_going_on {
            let seq = Seq::new(page.last + 1);
            piece.items.push_back(Err(StoreError::Corrupt { session, seq }));
        }
        return piece;
    } else if known > after {
        piece.next = Some(Place {
            session,
            after: known,
            goes_on: true,
        });
        return piece;
    } else {
        known += 1;
    }
    piece.items.push_back(Err(StoreError::Missing {
        session,
        seq: Seq::new(known),
    }));
    piece
}

fn read_entries(connection: &Connection, place: Place) -> Piece<Place, (Seq, Entry)> {
    let session = place.session.clone();
    let raw = read_raw(connection, place);
    let parse = |raw: Raw| {
        let seq = Seq::new(raw.seq);
        if !raw.is_intact(session.as_str()) {
            let session = session.clone();
            return Err(StoreError::Corrupt { session, seq });
        }
        match read_json(&raw.bytes) {
            Ok(entry) => Ok((seq, entry)),
            Err(source) => Err(StoreError::Unreadable {
                session: session.clone(),
                seq,
                source: source.into(),
            }),
        }
    };
    // A session is the fold of all its entries, so the entries after an unreadable one are useless.
    Piece {
        items: raw.items.into_iter().map(|raw| raw.and_then(parse)).collect(),
        next: raw.next,
    }
    .until_error()
}

/// Converts an error to a piece with the error as its only item.
pub(crate) fn run_piece<C, T>(piece: Result<Piece<C, T>, StoreError>) -> Piece<C, T> {
    piece.unwrap_or_else(Piece::failed)
}

/// Number of names read at a time.
const NAMES: i64 = 1000;

fn read_names(
    connection: &Connection,
    (filter, after): (SessionFilter, i64),
) -> Piece<(SessionFilter, i64), SessionId> {
    run_piece(names(connection, filter, after))
}

fn names(
    connection: &Connection,
    filter: SessionFilter,
    after: i64,
) -> Result<Piece<(SessionFilter, i64), SessionId>, StoreError> {
    let is_open_only = filter == SessionFilter::Open;
    let mut statement = connection.prepare_cached(
        "SELECT number, name FROM sessions WHERE number > ?1 AND last > 0 AND NOT (closed AND ?2) ORDER BY number LIMIT ?3",
    )?;
    let mut rows = statement.query(params![after, is_open_only, NAMES])?;
    let mut piece = Piece::default();
    while let Some(row) = rows.next()? {
        piece.next = Some((filter, row.get(0)?));
        piece.items.push_back(Ok(SessionId::new(row.get::<_, String>(1)?)));
    }
    Ok(piece)
}
