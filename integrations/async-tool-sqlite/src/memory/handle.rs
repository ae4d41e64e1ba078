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

/// An agent's long-term notes: what it wants to know in later conversations, found by its words.
///
/// A memory is the notes of one scope, which names whose they are: a user, a project, an agent. Notes of one scope are never seen in another. Take the scope
/// from what the host knows of the conversation, and never from what a model says.
///
/// Handles are cheap to clone, and keep the journal open. All handles of one scope see the same notes, also those of other processes; limits and filters are
/// the handle's.
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
/// A model is given [`tools`](Self::tools) for it.
///
/// # How notes are found
///
/// By their words and those of their tags, in any order. Case and accents are no difference ("muller" finds "Müller"), the beginning of a word is enough from
/// three characters on, and English endings are no difference ("roasting" finds "roasted"). Chinese, Japanese, Thai and other scripts without spaces are found
/// by any two characters or more that follow one another. Notes with all words are given, or, if there are none, those with any of them: first those that fit
/// best (BM25), and of those that fit alike the newest. A query without a letter or a digit gives the newest notes. A query is never wrong: quotes, operators
/// and signs in it mean nothing. Its first 1,024 bytes and 32 words are read.
///
/// # What is kept
///
/// A note is durable when [`remember`](Self::remember) returns `Ok`, as an append of the journal is ([`Durability`](crate::Durability)). It is one statement
/// more in the group of the appends that wait, so no append waits for an `fsync` of a note. Nothing is dropped to make room.
///
/// # Secrets
///
/// Notes are what a model chose to write. [`Redact`](async_tool_runtime::agent::Redact) and sensitive arguments are about journals of sessions, and know nothing of notes; use
/// [`with_filter`](Self::with_filter). A note that is [forgotten](Self::forget) is found by nobody from then on; its bytes are in the file until something else
/// is written in their place.
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
    /// The notes of a scope. It needs no session, and nothing is written for it before the first note.
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

/// How many notes an answer has at most, and how many bytes of text beyond the first.
const MOST_FOUND: usize = 100;
const MOST_BYTES_FOUND: usize = 64 * 1024;

impl Memory {
    /// How many bytes the text and the tags of a note may have. Default: 4 KiB.
    pub const fn max_note_bytes(mut self, bytes: usize) -> Self {
        self.max_note_bytes = bytes;
        self
    }

    /// How many notes the scope may have; the next one is [refused](MemoryError::TooMany). Default: 10,000.
    pub const fn max_notes(mut self, notes: u64) -> Self {
        self.max_notes = notes;
        self
    }

    /// Passes the text and each tag of a note through a filter before they are written: what it gives is written in their place. A text of which it gives nothing is
    /// [refused](MemoryError::Refused), and such a tag is left out. A second filter comes after the first. Default: none.
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

    /// Gives the scope in which the [tools](Self::tools) work, from the session that calls them: so one manager serves many users. It is asked for sessions of
    /// sub-agents too. Default: the scope of this handle, for all sessions.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let journal = async_tool_sqlite::SqliteJournal::open(directory.path().join("sessions.db"))?;
    /// // Sessions are named "user/conversation" by this host.
    /// let memory = journal.memory("nobody").with_session_scope(|session| {
    ///     let (user, _) = session.as_str().split_once('/').unwrap_or(("nobody", ""));
    ///     user.to_owned()
    /// });
    /// # drop(memory);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_session_scope(mut self, scope: impl Fn(&SessionId) -> String + Send + Sync + 'static) -> Self {
        self.scope_of = Some(Arc::new(scope));
        self
    }

    /// Whose notes these are.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Keeps a note. The same text again is the same note, whose time becomes now, and which has the tags of both as far as there is room; so is the same
    /// [key](NewNote::key).
    ///
    /// # Errors
    ///
    /// [`MemoryError`]; nothing is written then.
    ///
    /// # Cancel safety
    ///
    /// Once the future has been polled the note is written, if it is one that may be.
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

    /// Finds notes, at most `limit` and at most 100; beyond the first, at most 64 KiB of text.
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

    /// Takes a note away. Says whether it was still there.
    ///
    /// # Errors
    ///
    /// [`MemoryError::Unknown`] if there never was such a note in this scope; [`MemoryError::Store`] if the file can't be written.
    ///
    /// # Cancel safety
    ///
    /// Once the future has been polled the note is taken away.
    pub async fn forget(&self, id: NoteId) -> Result<bool, MemoryError> {
        Ok(self.change(Request::Forget(id)).await?.is_changed)
    }

    /// All notes, in the order in which they were first written.
    #[must_use = "streams do nothing unless polled"]
    pub fn notes(&self) -> BoxStream<'static, Result<Note, ReadError>> {
        let start = (Arc::clone(&self.scope), 0);
        Box::pin(Pieces::new(&self.journal.shared, start, search::page))
    }

    /// The memory in which the tools work that this session calls.
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
