//! The handle of a memory.

use std::{fmt, sync::Arc};

use async_tool_runtime::{SessionId, future::BoxStream, journal::ReadError, task::Timestamp};
use tokio::sync::oneshot;

use super::{
    Change, MemoryError, NewNote, Note, NoteId, Recalled,
    change::{Done, Request},
    search,
};
use crate::{SqliteJournal, StoreError, stream::Pieces, writer::Command};

type Filter = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;
type ScopeOf = Arc<dyn Fn(&SessionId) -> String + Send + Sync>;

/// An agent's long-term notes for later conversations, found by their words.
///
/// A memory holds the notes of one scope: a user, a project, an agent. Notes of one scope are never visible in another.
/// Derive the scope from the host's own knowledge of the conversation, never from a model's output.
///
/// Handles are cheap to clone, and keep the journal open. All handles of one scope see the same notes, also those of
/// other processes. Limits and filters belong to the handle.
///
/// ```
/// use async_tool_sqlite::SqliteJournal;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("sessions.db");
/// let journal = SqliteJournal::open(path)?;
/// let memory = journal.memory("user 7");
/// memory.remember("Frau Müller prefers to be called in the morning.").await?;
///
/// let found = memory.recall("when to call muller?", 5).await?;
/// assert_eq!(found[0].note.text, "Frau Müller prefers to be called in the morning.");
/// assert!(journal.memory("user 8").recall("muller", 5).await?.is_empty());
/// # Ok(())
/// # }
/// ```
///
/// Give a model the [`tools`](Self::tools) of the memory.
///
/// # Search
///
/// A search matches the words of notes and their tags, in any order:
///
/// - Case and accents are ignored ("muller" finds "Müller"), and so are English endings ("roasting" finds "roasted").
/// - Three or more characters match the beginning of a word.
/// - In Chinese, Japanese, Thai and other scripts without spaces, any two or more consecutive characters match.
/// - The result has the notes with all words, or, if there are none, the notes with any of them. The best match is
///   first (BM25); equal matches are sorted from new to old.
/// - A query without a letter or a digit returns the newest notes.
/// - No query is invalid: quotes, operators and signs have no meaning. Only the first 1,024 bytes and 32 words count.
///
/// # Durability
///
/// A note is durable when [`remember`](Self::remember) returns `Ok`, as an append is
/// ([`Durability`](crate::Durability)). It joins the transaction of the waiting appends, so no append waits for a
/// note's `fsync`. No note is dropped to make room.
///
/// # Secrets
///
/// A model chooses the text of notes. [`Redact`](async_tool_runtime::agent::Redact) and sensitive arguments apply to
/// journals of sessions, not to notes; use [`with_filter`](Self::with_filter). After [`forget`](Self::forget), no
/// search finds a note, but its bytes stay in the file until they are overwritten.
#[derive(Clone)]
#[must_use]
pub struct Memory {
    journal: SqliteJournal,
    scope: Arc<str>,
    max_note_bytes: usize,
    max_notes: u64,
    filter: Option<Filter>,
    scope_of: Option<ScopeOf>,
}

impl SqliteJournal {
    /// Opens the memory of a scope. It needs no session, and writes nothing before the first note.
    pub fn memory(&self, scope: impl Into<Arc<str>>) -> Memory {
        Memory {
            journal: self.clone(),
            scope: scope.into(),
            max_note_bytes: 4096,
            max_notes: 10_000,
            filter: None,
            scope_of: None,
        }
    }
}

/// Limits of one result: number of notes, and bytes of text beyond the first note.
const MOST_FOUND: usize = 100;
const MOST_BYTES_FOUND: usize = 64 * 1024;

impl Memory {
    /// Limits the text and the tags of a note, in bytes. Default: 4 KiB.
    pub const fn max_note_bytes(mut self, bytes: usize) -> Self {
        self.max_note_bytes = bytes;
        self
    }

    /// Limits the number of notes in the scope; a further note is [refused](MemoryError::TooMany). Default: 10,000.
    pub const fn max_notes(mut self, notes: u64) -> Self {
        self.max_notes = notes;
        self
    }

    /// Filters the text and each tag of a note before they are written. The filter returns the replacement, or `None`
    /// to refuse. A refused text [refuses the note](MemoryError::Refused); a refused tag is left out. Several filters
    /// run in the order of their addition. Default: none.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let journal = async_tool_sqlite::SqliteJournal::open(directory.path().join("sessions.db"))?;
    /// let memory = journal.memory("user 7").with_filter(|text| (!text.contains("password")).then(|| text.to_owned()));
    /// # drop(memory);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_filter(mut self, filter: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.filter = Some(match self.filter.take() {
            Some(first) => Arc::new(move |text| first(text).and_then(|text| filter(&text))),
            None => Arc::new(filter),
        });
        self
    }

    /// Sets the scope of the [tools](Self::tools) by the calling session, so that one manager serves many users. The
    /// function is also called for sessions of sub-agents. Default: the scope of this handle, for all sessions.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let journal = async_tool_sqlite::SqliteJournal::open(directory.path().join("sessions.db"))?;
    /// // Sessions are named "user/conversation" by this host.
    /// let memory = journal.memory("unknown").with_session_scope(|session| {
    ///     let (user, _) = session.as_str().split_once('/').unwrap_or(("unknown", ""));
    ///     user.to_owned()
    /// });
    /// # drop(memory);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_session_scope(mut self, scope: impl Fn(&SessionId) -> String + Send + Sync + 'static) -> Self {
        self.scope_of = Some(Arc::new(scope));
        self
    }

    /// The scope of these notes.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Keeps a note. If the scope already has a note with this text, that note gets the current time, and the new tags as
    /// far as they fit. If a note with this [key](NewNote::key) was written before, nothing is written, and its
    /// id is returned.
    ///
    /// # Errors
    ///
    /// [`MemoryError`]; then nothing is written.
    ///
    /// # Cancel safety
    ///
    /// Once the future has been polled, the note is written, unless it is refused.
    pub async fn remember(&self, note: impl Into<NewNote>) -> Result<NoteId, MemoryError> {
        let note = self.filtered(note.into())?.tidy();
        if note.text.is_empty() {
            return Err(MemoryError::Empty);
        }
        let (bytes, limit) = (note.bytes(), self.max_note_bytes);
        if bytes > limit {
            return Err(MemoryError::TooLong { bytes, limit });
        }
        let (most, most_bytes) = (self.max_notes, self.max_note_bytes);
        let done = self.change(Request::Remember { note, most, most_bytes }).await?;
        Ok(done.id)
    }

    /// Finds notes: at most `limit`, at most 100, and at most 64 KiB of text beyond the first.
    ///
    /// # Errors
    ///
    /// [`MemoryError::Store`] if the file can't be read.
    pub async fn recall(&self, query: &str, limit: usize) -> Result<Vec<Recalled>, MemoryError> {
        self.recall_within(query, limit.min(MOST_FOUND), MOST_BYTES_FOUND).await
    }

    pub(super) async fn recall_within(
        &self,
        query: &str,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<Recalled>, MemoryError> {
        let (scope, query) = (Arc::clone(&self.scope), query.to_owned());
        let found = self
            .journal
            .shared
            .reader()
            .query(move |connection| Ok(search::recall(connection, &scope, &query, limit, bytes)?));
        Ok(found.await?)
    }

    /// Removes a note. Returns true if the note was still there.
    ///
    /// # Errors
    ///
    /// [`MemoryError::Unknown`] if the scope never had such a note; [`MemoryError::Store`] if the file can't be
    /// written.
    ///
    /// # Cancel safety
    ///
    /// Once the future has been polled, the note is removed.
    pub async fn forget(&self, id: NoteId) -> Result<bool, MemoryError> {
        Ok(self.change(Request::Forget(id)).await?.is_changed)
    }

    /// Streams all notes, in the order in which they were first written.
    #[must_use = "streams do nothing unless polled"]
    pub fn notes(&self) -> BoxStream<'static, Result<Note, ReadError>> {
        let start = (Arc::clone(&self.scope), 0);
        Box::pin(Pieces::new(&self.journal.shared, start, search::page))
    }

    /// The memory for the tools that this session calls.
    pub(super) fn of_session(&self, session: &SessionId) -> Self {
        let mut memory = self.clone();
        if let Some(scope_of) = &self.scope_of {
            memory.scope = scope_of(session).into();
        }
        memory
    }

    pub(super) fn now(&self) -> Timestamp {
        self.journal.shared.clock().now()
    }

    fn filtered(&self, mut note: NewNote) -> Result<NewNote, MemoryError> {
        if let Some(filter) = &self.filter {
            note.text = filter(&note.text).ok_or(MemoryError::Refused)?;
            note.tags = note.tags.iter().filter_map(|tag| filter(tag)).collect();
        }
        Ok(note)
    }

    async fn change(&self, request: Request) -> Result<Done, MemoryError> {
        let (reply, answer) = oneshot::channel();
        let change = Change::new(Arc::clone(&self.scope), request, reply);
        self.journal.shared.writer()?.send(Command::Change(change));
        answer.await.unwrap_or_else(|_| Err(StoreError::Stopped.into()))
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("scope", &self.scope)
            .field("journal", &self.journal)
            .finish_non_exhaustive()
    }
}
