//! The trait of all journals.

use std::{future::ready, num::NonZeroU64, sync::Arc};

use super::{AppendError, Claim, Entry, ReadError, Seq, SessionFilter, Snapshot};
use crate::{
    future::{BoxFuture, BoxStream},
    session::SessionId,
};

/// Store of the entries of sessions.
///
/// `testing::JournalSuite` (feature `testing`) checks an implementation against all of these rules, in five lines.
///
/// ```
/// use async_tool_runtime::future::{BoxFuture, BoxStream};
/// use async_tool_runtime::journal::{AppendError, Claim, Entry, Format, Journal, MemoryJournal, ReadError, Seq, SessionFilter};
/// use async_tool_runtime::{SessionId, task::Timestamp};
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// /// Counts the appends to another journal.
/// #[derive(Default)]
/// struct Counted<J> {
///     journal: J,
///     appends: AtomicUsize,
/// }
///
/// impl<J: Journal> Journal for Counted<J> {
///     fn append<'a>(
///         &'a self,
///         session: &'a SessionId,
///         claim: &'a Claim,
///         after: Seq,
///         entries: &'a [Entry],
///     ) -> BoxFuture<'a, Result<Seq, AppendError>> {
///         self.appends.fetch_add(1, Ordering::Relaxed);
///         self.journal.append(session, claim, after, entries)
///     }
///
///     fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
///         self.journal.read(session, after)
///     }
///
///     fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
///         self.journal.sessions(filter)
///     }
///
///     fn inner(&self) -> Option<&dyn Journal> {
///         Some(&self.journal)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), AppendError> {
/// let journal = Counted::<MemoryJournal>::default();
/// # let at = Timestamp::from_millis(0);
/// let opened = Entry::Opened { format: Format::CURRENT, nonce: "n".into(), works_for: None, at };
/// journal.append(&SessionId::new("s"), &Claim::new(), Seq::START, &[opened]).await?;
/// assert_eq!(journal.appends.into_inner(), 1);
/// # Ok(())
/// # }
/// ```
pub trait Journal: Send + Sync + 'static {
    /// Adds entries after `after`, and returns the position of the last one.
    ///
    /// 1. When this returns `Ok`, the entries MUST be as durable as the journal promises, and the session is the claim's. Without
    ///    entries, it MUST only check that `after` is the last entry, and take the session.
    /// 2. While another claim has the session and lives, it MUST change nothing and return [`AppendError::Taken`]: whichever process,
    ///    open journal or clone of it that claim writes through. A claim ends when it is dropped, [lost](Claim::is_lost) or
    ///    [released](Self::release). A claim of another process can't be seen to end, so a store needs a sign of life, such as a lease.
    /// 3. A clock of another process MUST NOT decide that its lease has ended. Count the renewals in the store, and take the session
    ///    only after the count has stood still for a whole lease by a monotonic clock here. [`AppendError::Taken`] says how long that
    ///    takes.
    /// 4. Only an append or a renewal that found the claim as the owner MAY [confirm](Claim::confirm) it. A journal that finds another
    ///    owner MUST make the claim [lose](Claim::lose) the session.
    /// 5. A closed session needs no owner: an append without entries to it only checks `after`.
    ///
    /// [`Claims`](super::Claims) does the part of one process.
    ///
    /// ```
    /// use async_tool_runtime::journal::{AppendError, Claim, Entry, Format, Journal, MemoryJournal, Seq};
    /// use async_tool_runtime::{SessionId, task::Timestamp};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), AppendError> {
    /// let (journal, session, claim) = (MemoryJournal::new(), SessionId::new("s"), Claim::new());
    /// # let at = Timestamp::from_millis(0);
    /// let opened = Entry::Opened { format: Format::CURRENT, nonce: "n".into(), works_for: None, at };
    /// let hello = Entry::UserMessage { text: "hello".into(), media: Vec::new(), traceparent: None, at };
    /// let last = journal.append(&session, &claim, Seq::START, &[opened, hello]).await?;
    /// assert_eq!(last, Seq::new(2));
    /// assert_eq!(journal.append(&session, &claim, last, &[]).await?, last); // still the owner
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AppendError::Taken`] if another claim has the session. [`AppendError::Conflict`] if `after` is not the last entry. The session is
    /// unchanged then.
    ///
    /// # Cancel safety
    ///
    /// An append that is dropped before its end MAY be made or not, at once or later, but MUST NOT be made in part.
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>>;

    /// Reads the entries of a session after `after`, in order. A session without entries is empty.
    ///
    /// An entry that can't be decoded MUST be an error that names its position, and MUST NOT be left out. `serde` refuses kinds, fields and
    /// values that this version of the library doesn't know. A newer program may have written them, see [`Format`](super::Format).
    ///
    /// ```
    /// use async_tool_runtime::journal::{Claim, Entry, Format, Journal, MemoryJournal, Seq};
    /// use async_tool_runtime::{SessionId, task::Timestamp};
    /// # use futures_core::Stream as _;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (journal, session, claim) = (MemoryJournal::new(), SessionId::new("s"), Claim::new());
    /// # let at = Timestamp::from_millis(0);
    /// # let opened = Entry::Opened { format: Format::CURRENT, nonce: "n".into(), works_for: None, at };
    /// # let hello = Entry::UserMessage { text: "hello".into(), media: Vec::new(), traceparent: None, at };
    /// # journal.append(&session, &claim, Seq::START, &[opened, hello.clone()]).await?;
    /// let mut later = journal.read(&session, Seq::new(1));
    /// let next = std::future::poll_fn(|cx| later.as_mut().poll_next(cx)).await.expect("it has two entries")?;
    /// assert_eq!(next, (Seq::new(2), hello));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The stream has a [`ReadError`] if the store can't be read, and ends there.
    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>>;

    /// Lists the sessions that have entries, in no particular order.
    ///
    /// # Errors
    ///
    /// The stream has a [`ReadError`] if the store can't be read, and ends there.
    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>>;

    /// Returns the journal that this one wraps. Each of the following methods is then passed on to it, unless this journal has its own.
    ///
    /// A journal that changes what is kept, by encrypting it for example, MUST have its own methods for media and snapshots.
    ///
    /// Default: `None`, for a journal that wraps no other.
    fn inner(&self) -> Option<&dyn Journal> {
        None
    }

    /// Gives up a session: from now on, any other claim can take it at once, in any process.
    ///
    /// An agent calls this when it has [left](crate::AsyncAgent::leave) or [closed](crate::AsyncAgent::close) its session, and goes on
    /// only after the answer.
    ///
    /// 1. It MUST end the claim's hold on this session before it returns `Ok`, and keep all other holds. Until then, other claims MAY be
    ///    refused.
    /// 2. The release MUST come after the appends to the session that were polled before, and change no entry and no fence.
    /// 3. Releasing a session that isn't the claim's MUST change nothing and return `Ok`: one that was released before, one of another
    ///    claim, a closed one, an unknown one.
    /// 4. A later append with this claim is an append like any other's. If it comes after the last entry and no other claim has the
    ///    session, it MUST succeed, and takes the session anew.
    ///
    /// Default: does nothing, for a journal that only reads.
    ///
    /// ```
    /// use async_tool_runtime::journal::{Claim, Entry, Format, Journal, MemoryJournal, Seq};
    /// use async_tool_runtime::{SessionId, task::Timestamp};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (journal, session, claim) = (MemoryJournal::new(), SessionId::new("s"), Claim::new());
    /// # let at = Timestamp::from_millis(0);
    /// let opened = Entry::Opened { format: Format::CURRENT, nonce: "n".into(), works_for: None, at };
    /// let last = journal.append(&session, &claim, Seq::START, &[opened]).await?;
    /// journal.release(&session, &claim).await?;
    /// journal.release(&session, &claim).await?; // Twice is harmless.
    /// assert_eq!(journal.append(&session, &claim, last, &[]).await?, last);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AppendError::Unavailable`] if the journal can't tell whether its hold has ended; a retry may succeed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the session MAY be released or not. Releasing it again is harmless.
    fn release<'a>(&'a self, session: &'a SessionId, claim: &'a Claim) -> BoxFuture<'a, Result<(), AppendError>> {
        match self.inner() {
            Some(inner) => inner.release(session, claim),
            None => Box::pin(ready(Ok(()))),
        }
    }

    /// True if the entries outlive the process.
    ///
    /// It decides about an agent whose last handle is dropped. A process that ends by an error, a panic or a signal drops its handles
    /// too. With a durable journal, the agent [leaves](crate::AsyncAgent::leave) its session, which the next process can
    /// [resume](crate::agent::AsyncAgentBuilder::resume). Otherwise no later process could take the session up, and the agent closes it.
    ///
    /// Default: true. Of the two mistakes, closing a session that could go on loses work. A journal that is gone with its process
    /// SHOULD return false, as [`MemoryJournal`](super::MemoryJournal) does.
    ///
    /// ```
    /// use async_tool_runtime::journal::{Journal, MemoryJournal};
    ///
    /// assert!(!MemoryJournal::new().is_durable());
    /// ```
    fn is_durable(&self) -> bool {
        self.inner().is_none_or(Journal::is_durable)
    }

    /// Keeps the bytes of large media of a session, and returns a name for them. The entries and snapshots that are written after it have
    /// the name in place of the bytes.
    ///
    /// 1. When this returns a name, the bytes MUST be as durable as an entry, and stay as long as the session's entries.
    /// 2. Equal bytes of a session SHOULD get the same name, and be kept once.
    /// 3. An agent that has lost the session MAY still call it. Then its next append fails, and no entry has the name.
    ///
    /// Default: `None`, and the entries hold the bytes themselves. [`MemoryJournal`](super::MemoryJournal) leaves it so, because its
    /// entries share the bytes with the agent.
    ///
    /// # Errors
    ///
    /// [`AppendError`] if the bytes can't be written.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the bytes MAY be kept or not, but MUST NOT be kept in part.
    fn put_blob<'a>(
        &'a self,
        session: &'a SessionId,
        bytes: &'a Arc<[u8]>,
    ) -> BoxFuture<'a, Result<Option<Arc<str>>, AppendError>> {
        match self.inner() {
            Some(inner) => inner.put_blob(session, bytes),
            None => Box::pin(ready(Ok(None))),
        }
    }

    /// Returns bytes that [`put_blob`](Self::put_blob) kept; `None` if there are none of this name, or damaged ones. Default: `None`.
    ///
    /// A resumed session reads all its media. The model gets a description of those that are gone.
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the store can't be read.
    fn blob<'a>(
        &'a self,
        session: &'a SessionId,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<[u8]>>, ReadError>> {
        match self.inner() {
            Some(inner) => inner.blob(session, name),
            None => Box::pin(ready(Ok(None))),
        }
    }

    /// Removes a closed session: its entries, its snapshot and its media. True if the journal has nothing of the session any more.
    ///
    /// 1. An open session MUST stay as it is, and the answer is false: its agent, or the next one, needs the entries.
    /// 2. A process that is killed during the removal MUST leave the whole session or nothing of it. A read that has begun MAY end with
    ///    an error.
    /// 3. For a session that is unknown, or that was removed before, the answer is true.
    /// 4. Afterwards the name is that of a session that never was.
    ///
    /// Default: keeps the session and returns false, for a store that forgets nothing.
    ///
    /// ```
    /// use async_tool_runtime::journal::{Claim, Entry, Format, Journal, MemoryJournal, Seq};
    /// use async_tool_runtime::{SessionId, task::Timestamp};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (journal, session, claim) = (MemoryJournal::new(), SessionId::new("s"), Claim::new());
    /// # let at = Timestamp::from_millis(0);
    /// let opened = Entry::Opened { format: Format::CURRENT, nonce: "n".into(), works_for: None, at };
    /// let last = journal.append(&session, &claim, Seq::START, &[opened]).await?;
    /// assert!(!journal.remove(&session).await?); // It is open.
    /// journal.append(&session, &claim, last, &[Entry::Closed { at }]).await?;
    /// assert!(journal.remove(&session).await?);
    /// assert!(journal.entries(&session).is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AppendError::Unavailable`] if the store can't be written; a retry may succeed.
    ///
    /// # Cancel safety
    ///
    /// As rule 2 has it for a killed process: the whole session stays, or nothing of it.
    fn remove<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<bool, AppendError>> {
        match self.inner() {
            Some(inner) => inner.remove(session),
            None => Box::pin(ready(Ok(false))),
        }
    }

    /// Number of entries between snapshots. Default: `None`, and no snapshots are made.
    fn snapshot_every(&self) -> Option<NonZeroU64> {
        self.inner()?.snapshot_every()
    }

    /// Keeps the state of a session after an entry, so that earlier entries need not be read again.
    ///
    /// It replaces an earlier snapshot of the session. A journal MAY keep none, because a session is rebuilt from its entries alone.
    /// Default: keeps none.
    ///
    /// # Errors
    ///
    /// [`AppendError`]; the session goes on without the snapshot.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the snapshot MAY be kept or not, but MUST NOT be kept in part.
    fn keep_snapshot<'a>(
        &'a self,
        session: &'a SessionId,
        snapshot: Snapshot,
    ) -> BoxFuture<'a, Result<(), AppendError>> {
        match self.inner() {
            Some(inner) => inner.keep_snapshot(session, snapshot),
            None => Box::pin(ready(Ok(()))),
        }
    }

    /// Returns the last kept snapshot of a session. Default: `None`.
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the store can't be read.
    fn snapshot<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Option<Snapshot>, ReadError>> {
        match self.inner() {
            Some(inner) => inner.snapshot(session),
            None => Box::pin(ready(Ok(None))),
        }
    }
}

// `dyn Journal` must stay possible: an agent holds one of any kind.
const _: fn(&dyn Journal) = |_| {};

impl<J: Journal + ?Sized> Journal for Arc<J> {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        (**self).append(session, claim, after, entries)
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        (**self).read(session, after)
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        (**self).sessions(filter)
    }

    fn release<'a>(&'a self, session: &'a SessionId, claim: &'a Claim) -> BoxFuture<'a, Result<(), AppendError>> {
        (**self).release(session, claim)
    }

    fn is_durable(&self) -> bool {
        (**self).is_durable()
    }

    fn put_blob<'a>(
        &'a self,
        session: &'a SessionId,
        bytes: &'a Arc<[u8]>,
    ) -> BoxFuture<'a, Result<Option<Arc<str>>, AppendError>> {
        (**self).put_blob(session, bytes)
    }

    fn blob<'a>(
        &'a self,
        session: &'a SessionId,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<[u8]>>, ReadError>> {
        (**self).blob(session, name)
    }

    fn remove<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<bool, AppendError>> {
        (**self).remove(session)
    }

    fn snapshot_every(&self) -> Option<NonZeroU64> {
        (**self).snapshot_every()
    }

    fn keep_snapshot<'a>(
        &'a self,
        session: &'a SessionId,
        snapshot: Snapshot,
    ) -> BoxFuture<'a, Result<(), AppendError>> {
        (**self).keep_snapshot(session, snapshot)
    }

    fn snapshot<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Option<Snapshot>, ReadError>> {
        (**self).snapshot(session)
    }
}
