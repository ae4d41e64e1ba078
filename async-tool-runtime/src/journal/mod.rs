//! The log of record.
//!
//! A session is the fold of its entries; there is no other state. So recovery, replay and audit are one mechanism.
//!
//! # Invariants
//!
//! 1. Entries of one append become durable together or not at all.
//! 2. `append` names the last entry its writer knows. If there are more, somebody else owns the session now, and the
//!    append changes nothing: two writers can't both go on.
//! 3. Entries are never changed or taken out.

mod entry;
mod error;
mod memory;

pub use entry::{Awaited, Entry, Given};
pub use error::{AppendError, ReadError};
pub use memory::MemoryJournal;

use serde::{Deserialize, Serialize};

use crate::{
    SessionId,
    future::{BoxFuture, BoxStream},
};

/// The place of an entry in its session: the first is 1, and 0 is "before the first".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(u64);

impl Seq {
    /// Before the first entry.
    pub const START: Self = Self(0);

    /// The place with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// Keeps the entries of sessions.
pub trait Journal: Send + Sync + 'static {
    /// Adds entries after `after`, and gives the place of the last of them. When this returns `Ok`, the entries MUST be as
    /// durable as the journal promises. With no entries, it MUST only check the fence.
    ///
    /// # Errors
    ///
    /// [`AppendError::Conflict`] if `after` is not the last entry of the session; nothing has changed then.
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>>;

    /// The entries of a session after `after`, in order. A session nobody wrote to is empty.
    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>>;

    /// All sessions that have entries, in no particular order.
    fn sessions(&self) -> BoxStream<'_, Result<SessionId, ReadError>>;
}

// `dyn Journal` must stay possible: an agent holds one of any kind.
const _: fn(&dyn Journal) = |_| {};

impl<J: Journal + ?Sized> Journal for std::sync::Arc<J> {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        (**self).append(session, after, entries)
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        (**self).read(session, after)
    }

    fn sessions(&self) -> BoxStream<'_, Result<SessionId, ReadError>> {
        (**self).sessions()
    }
}
