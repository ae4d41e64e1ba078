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
//! 4. What tools mark as secret is taken out before an entry gets here (`agent/redaction/`). A journal needs no redaction of its own.

mod answer;
mod awaited;
mod check;
mod entry;
mod error;
mod filter;
mod join;
mod log;
mod memory;
mod seq;
mod snapshot;

pub use answer::CallAnswer;
pub use awaited::Awaited;
pub use check::{PromiseError, check_journal};
pub use entry::Entry;
pub use error::{AppendError, ReadError};
pub use filter::SessionFilter;
pub use join::JoinPolicy;
pub use log::Journal;
pub use memory::MemoryJournal;
pub use seq::Seq;
pub use snapshot::Snapshot;
