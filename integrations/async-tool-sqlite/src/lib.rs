//! A durable journal for [`async_tool_runtime`]: one SQLite file, no server.
//!
//! [`SqliteJournal`] is a [`Journal`](async_tool_runtime::Journal). Give it to an agent, and its sessions outlive the process:
//!
//! ```
//! use async_tool_runtime::{journal::{Seq, SessionFilter}, Journal as _, SessionId};
//! use async_tool_sqlite::SqliteJournal;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("sessions.db");
//! let journal = SqliteJournal::open(path)?;
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! // Takes up the session, if nobody else has it. An agent does this by itself.
//! journal.append(&SessionId::new("order 7"), Seq::START, &[]).await?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })
//! # }
//! ```
//!
//! # What is promised
//!
//! 1. **An append is there as a whole or not at all**, whatever happens to future, process or machine. When it returns `Ok` it is on the disk
//!    ([`Durability::Full`], the default), so it survives `kill -9` and the loss of power.
//! 2. **A session has one writer.** An append is made only after the entry that its writer knows as the last. Of two that know the same entry one goes on,
//!    and the other gets a [`Conflict`](async_tool_runtime::journal::AppendError::Conflict).
//! 3. **A live owner keeps its sessions.** Each open journal is an owner. Its first append to a session, also one without entries, claims it. Others get
//!    a `Conflict` that says until when the session is held. The session is free at once if its owner has closed the journal, if its process
//!    is dead (also by `kill -9`: the system gives up a dead process's lock), or if it hasn't been heard of for a whole lease (30 s by
//!    default): then its next write is refused, and nothing of it is written.
//! 4. **Clocks and locks are no part of the safety.** They decide who may go on without waiting. If both are wrong, promise 2 still holds.
//! 5. **A file that isn't understood isn't touched**: one of another program, of a later version, or one that is damaged, is an [`OpenError`].
//! 6. **Nothing is made up in reading.** An entry that is missing or can't be read is a [`StoreError`] that names session and entry.
//!
//! # Memory
//!
//! [`SqliteJournal::memory`] gives an agent long-term notes in the same file, with full-text search, and the tools with which a model remembers, recalls and forgets. They
//! need no session, and outlive all of them. See [`Memory`].
//!
//! # Speed
//!
//! One thread writes. All appends that wait, and all notes, are one transaction with one `fsync`, over all sessions, so that throughput grows with the number of sessions that write.
//! Reading is done by another thread, a page at a time: a long session is streamed in bounded memory, and no async thread waits for the disk.
//!
//! # The file
//!
//! The file belongs on a local disk: SQLite's log needs memory that processes share, and locks of network file systems lie. While it is open there
//! are files beside it: `-wal` (which holds the last appends, and belongs to the file in every copy), `-shm`, and an empty `.owner-…` for each owner. The last journal that is
//! closed takes them away. They are made for their user alone, as is the file. To copy a journal in use, use SQLite's `VACUUM INTO` or its backup.
//!
//! # Hash chains
//!
//! With [`hash_chain`](SqliteJournalBuilder::hash_chain) each entry holds a SHA-256 over itself and the entry before. [`verify`](SqliteJournal::verify) finds an entry that
//! was edited, taken out, added or moved, and says which. There is no key in it: whoever can write the file and knows this crate can write a session anew,
//! chain and all, or take it away with its row. So keep heads ([`SqliteJournal::head`]) where such a person can't write, and compare with
//! [`verify_against`](SqliteJournal::verify_against).

mod append;
mod builder;
mod chain;
mod clock;
mod compact;
mod error;
mod export;
mod file;
mod journal;
mod json;
mod listing;
mod memory;
mod owner;
mod pack;
mod page;
mod reader;
mod schema;
mod snapshot;
mod stream;
mod verify;
mod worker;
mod writer;

pub use builder::{Durability, OpenCheck, SqliteJournalBuilder};
pub use chain::{Head, ParseHeadError};
pub use compact::Compacted;
pub use error::{OpenError, StoreError};
pub use export::RawEntry;
pub use journal::SqliteJournal;
pub use listing::{Ownership, SessionSummary};
pub use memory::{Memory, MemoryError, MemorySummary, NewNote, Note, NoteId, ParseNoteIdError, Recalled};
pub use verify::{Finding, Tampering, Verification};

/// The example of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
