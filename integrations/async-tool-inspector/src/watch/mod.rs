//! Sessions and managers that viewers look at, and the changes that they are sent.
//!
//! # Invariants
//!
//! 1. The number of viewers costs an agent nothing: a session is read once for all of its viewers, and a manager once for all sessions. Each
//!    change is written as JSON once, and viewers share its bytes.
//! 2. A change waits some milliseconds for others, so many events make few messages.
//! 3. No task waits for a viewer. The changes of the last time are in a bounded ring; a viewer that is behind it gets a new snapshot.
//! 4. A snapshot and the position of the changes behind it are taken under one lock, so no change is lost between them.
//! 5. Nothing runs without viewers.

mod counts;
mod feed;
mod hub;
mod journal_reader;
mod listing;
mod mirror;
mod overview;
mod rows;
mod viewer;
mod watched;

pub(crate) use hub::Hub;
pub(crate) use journal_reader::{entry_at, next};
pub(crate) use viewer::{Place, Viewer};
pub(crate) use watched::Lease;

use std::time::{SystemTime, UNIX_EPOCH};

use async_tool_runtime::task::Timestamp;

/// Time of day.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
