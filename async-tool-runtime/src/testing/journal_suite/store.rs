//! A place where a journal keeps its entries.

use std::{error::Error, future::Future, sync::Arc};

use crate::journal::Journal;

/// A place where a journal keeps its entries, for [`JournalSuite`](super::JournalSuite): a directory, a database, a schema in one. It is empty
/// at first.
///
/// ```
/// use async_tool_runtime::{journal::MemoryJournal, testing::JournalStore};
/// use std::{error::Error, sync::Arc};
///
/// /// Stands for a directory: its entries are there when it is opened again.
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
    /// The journal that is checked.
    type Journal: Journal;

    /// Opens the store, or opens it again after [`kill`](Self::kill): what was acknowledged then MUST be there. It MAY wait until what the
    /// journal before it held is free.
    ///
    /// # Errors
    ///
    /// Whatever the store says; the suite fails with it.
    fn open(&self) -> impl Future<Output = Result<Self::Journal, Box<dyn Error + Send + Sync>>> + Send;

    /// Ends a journal as the end of its process would: what it has not acknowledged may be lost. It need not wait for anything. Without this,
    /// the journal is dropped.
    fn kill(&self, journal: Self::Journal) -> impl Future<Output = ()> + Send {
        drop(journal);
        std::future::ready(())
    }
}

/// A journal that is its own store, such as one in memory: it is opened again by using it again. For
/// [`JournalSuite::volatile`](super::JournalSuite::volatile).
impl<J: Journal> JournalStore for Arc<J> {
    type Journal = Self;

    async fn open(&self) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self::clone(self))
    }
}
