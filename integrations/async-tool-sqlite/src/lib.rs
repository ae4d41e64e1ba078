//! A durable journal for [`async_tool_runtime`]: one SQLite file, no server.

mod append;
mod builder;
mod chain;
mod clock;
mod compact;
mod error;
mod export;
mod file;
mod journal;
mod listing;
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
pub use verify::{Finding, Tampering, Verification};
