//! The storage of a journal.

use std::{error::Error, future::Future, sync::Arc};

use crate::journal::Journal;

/// Storage of a journal, for [`JournalSuite`](super::JournalSuite): a directory, a database, or a schema in a database. It is empty at
/// first.
///
/// ```
/// use async_tool_runtime::{journal::MemoryJournal, testing::JournalStore};
/// use std::{error::Error, sync::Arc};
///
/// /// Stands for a directory: its entries are there when it is reopened.
/// struct Directory(Arc<MemoryJournal>);
///
/// impl JournalStore for Directory {
///     type Journal = Arc<MemoryJournal>;
///
///     async fn open(&self) -> Result<Self::Journal, Box<dyn Error + Send + Sync>> {
///         Ok(Arc::clone(&self.0))
///     }
/// }
/// ```
pub trait JournalStore: Send + Sync + 'static {
    /// Journal that the suite checks.
    type Journal: Journal;

    /// Opens the store, or reopens it after [`kill`](Self::kill): all acknowledged entries MUST be there. It MAY wait until the previous
    /// journal has released its resources, such as a lock. The rules of [`release`](crate::journal::Journal::release) open a second
    /// journal beside the first. A store that one journal at a time can use lets that wait or fail.
    ///
    /// # Errors
    ///
    /// Any error of the store; the suite reports it as a broken rule.
    fn open(&self) -> impl Future<Output = Result<Self::Journal, Box<dyn Error + Send + Sync>>> + Send;

    /// Ends a journal as the end of its process would: entries that it has not acknowledged may be lost. It need not wait for anything.
    /// Default: drops the journal.
    fn kill(&self, journal: Self::Journal) -> impl Future<Output = ()> + Send {
        drop(journal);
        std::future::ready(())
    }
}

/// A journal that is its own store, such as a journal in memory. Opening it again returns the same journal. For
/// [`JournalSuite::volatile`](super::JournalSuite::volatile).
impl<J: Journal> JournalStore for Arc<J> {
    type Journal = Self;

    async fn open(&self) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self::clone(self))
    }
}
