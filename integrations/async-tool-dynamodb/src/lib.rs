//! A durable journal for [`async_tool_runtime`] on Amazon DynamoDB.

mod append;
mod batch;
mod blob;
mod builder;
mod create;
mod error;
mod head;
mod holds;
mod journal;
mod json;
mod key;
mod listing;
mod owner;
mod parts;
mod read;
mod release;
mod retry;
mod shared;
mod snapshot;
mod tables;
mod turns;
mod watch;

pub use builder::DynamoJournalBuilder;
pub use error::StoreError;
pub use journal::DynamoJournal;
