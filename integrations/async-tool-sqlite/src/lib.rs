//! A durable journal for [`async_tool_runtime`]: one SQLite file, no server.

mod append;
mod builder;
mod chain;
mod clock;
mod error;
mod file;
mod journal;
mod owner;
mod pack;
mod page;
mod reader;
mod schema;
mod snapshot;
mod stream;
mod worker;
mod writer;

pub use builder::{Durability, OpenCheck, SqliteJournalBuilder};
pub use chain::{Head, ParseHeadError};
pub use error::{OpenError, StoreError};
pub use journal::SqliteJournal;
