//! A durable journal for [`async_tool_runtime`]: one SQLite file, no server.
//!
//! [`SqliteJournal`] is a [`Journal`](async_tool_runtime::Journal). Give it to an agent, and its sessions outlive the process:
//!
//! ```
//! use async_tool_runtime::{journal::{Claim, Seq}, Journal as _, SessionId};
//! use async_tool_sqlite::SqliteJournal;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("sessions.db");
//! let journal = SqliteJournal::open(path)?;
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! // Takes the session, unless another claim has it. An agent does this by itself.
//! journal.append(&SessionId::new("order 7"), &Claim::new(), Seq::START, &[]).await?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })
//! # }
//! ```
//!
//! # Guarantees
//!
//! 1. **An append is written as a whole or not at all**, if the future is dropped, the process killed, or the machine
//!    stopped. When it returns `Ok`, it is on the disk ([`Durability::Full`], the default). So it survives `kill -9`
//!    and a power loss.
//! 2. **A session has one writer.** An append succeeds only directly after the entry that its writer knows as the last.
//!    If two writers know the same last entry, one succeeds, and the other gets a
//!    [`Conflict`](async_tool_runtime::journal::AppendError::Conflict).
//! 3. **A live owner keeps its sessions.** Each running agent has a claim, and each open journal is an owner for its
//!    claims. The first append to a session, even without entries, takes it. Other claims get
//!    [`Taken`](async_tool_runtime::journal::AppendError::Taken): those of the same open journal, of its clones, and of
//!    other processes. The session is free at once if its agent has left it
//!    ([`release`](async_tool_runtime::Journal::release)), or if the claim was dropped; the journal and its other sessions
//!    go on. All its sessions are free at once if the owner has closed the journal, or if the owner's process is dead. This
//!    includes `kill -9`, because the system releases a dead process's lock. They are also free for an open journal that
//!    has watched the owner for a whole lease (30 s by default) and has seen no sign of life. The next write of such an
//!    owner is refused as a whole, and its claims learn at its next sign of life that they are lost.
//! 4. **Safety doesn't depend on clocks and locks.** They decide only which owner may continue without waiting. The time of
//!    day decides nothing. A machine that was suspended, or processes that were stopped together, rob no owner. If locks are
//!    wrong, guarantee 2 still holds.
//! 5. **A file that isn't a sound journal stays untouched.** A file of another program or a later version, or a damaged
//!    file, gives an [`OpenError`]. A damaged log is copied before the first write, and reported
//!    ([`open_report`](SqliteJournal::open_report)).
//! 6. **Reading never invents data.** Each entry has a checksum over itself and its place, which each read checks. A
//!    missing, changed, misplaced or unreadable entry gives a [`StoreError`] with its session and number.
//! 7. **Nothing is accepted that no file holds.** After each write, the files at the path are compared with those that
//!    the journal has open. If one was deleted, replaced or cut off, the append is
//!    [`Unavailable`](async_tool_runtime::journal::AppendError::Unavailable) with [`StoreError::Gone`]. A replacement of
//!    the file in place, by one that is as long, is found by the next reader, not by the writer.
//!
//! A process that hangs within a write keeps the file locked until it ends, whatever its lease says. Appends and
//! [`open`](SqliteJournal::open) then fail with [`StoreError::Busy`] or [`OpenError::Busy`], which name the process.
//!
//! [`Salvage`] reads the undamaged entries of a damaged file.
//!
//! # Memory
//!
//! [`SqliteJournal::memory`] gives an agent long-term notes in the same file, with full-text search, and tools with
//! which a model remembers, recalls and forgets. Notes need no session, and outlive all sessions. See [`Memory`].
//!
//! # Speed
//!
//! One thread writes. All waiting appends and notes, of all sessions, are one transaction with one `fsync`, so
//! throughput grows with the number of writing sessions. Another thread reads, one page at a time. So a long session
//! streams in bounded memory, and no async thread waits for the disk.
//!
//! # The file
//!
//! Keep the file on a local disk. SQLite's log needs memory that processes share, and locks of network file systems are
//! unreliable. An open journal has companion files: `-wal`, `-shm`, and an empty `.owner-…` for each owner. The `-wal`
//! file holds the last appends, so copy it with the file. The last journal to close removes the companions. All files
//! are accessible to their user only. To copy a journal in use, use SQLite's `VACUUM INTO` or its backup.
//!
//! # Hash chains
//!
//! With [`hash_chain`](SqliteJournalBuilder::hash_chain), each entry has a SHA-256 over itself and the entry before.
//! [`verify`](SqliteJournal::verify) finds and names an entry that was edited, removed, added or moved. The hash has no
//! key. So an attacker who can write the file can rewrite a session with its chain, or remove it with its row. Keep
//! heads ([`SqliteJournal::head`]) where such an attacker can't write, and compare with
//! [`verify_against`](SqliteJournal::verify_against).

mod append;
mod blob;
mod builder;
mod cells;
mod chain;
mod checksum;
mod clock;
mod compact;
mod error;
mod export;
mod file;
mod holder;
mod identity;
mod journal;
mod listing;
mod log;
mod memory;
mod owner;
mod pack;
mod page;
mod reader;
mod release;
mod remove;
mod report;
mod salvage;
mod schema;
mod snapshot;
mod stream;
mod tenants;
mod unsynced;
mod verify;
mod watch;
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
pub use report::{DamagedLog, OpenReport};
pub use salvage::{Salvage, SalvagedSession};
pub use verify::{Finding, Tampering, Verification};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
