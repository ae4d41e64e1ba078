//! Log of a session: every fact about it, in order, for recovery, replay and audit.
//!
//! ```
//! # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, async_tool, tools};
//! use async_tool_runtime::journal::{Entry, MemoryJournal, check_journal};
//! # use std::sync::Arc;
//! # /// Adds two numbers.
//! # #[async_tool(effect = "read")]
//! # fn add(a: i64, b: i64) -> i64 {
//! #     a + b
//! # }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
//! let journal = Arc::new(MemoryJournal::new());
//! let agent = AsyncAgent::builder(RulePlanner::new(), manager).journal(journal.clone()).session("s").start().await?;
//! agent.send("add a=2 b=3").await?;
//! agent.run_until_idle().await?;
//! agent.close().await?;
//!
//! let entries = journal.entries(&"s".into());
//! assert!(entries.iter().any(|entry| matches!(entry, Entry::Settled { .. })));
//! check_journal(&entries)?; // every result was told once
//! # Ok(())
//! # }
//! ```
//!
//! A session is the fold of its entries and has no other state. So recovery, replay and audit are one mechanism.
//!
//! # Invariants
//!
//! 1. Entries of one append become durable together or not at all.
//! 2. `append` names the last entry that its writer knows. If the session has later entries, another writer owns it now, and the
//!    append changes nothing. So two writers can't both go on.
//! 3. Entries are never changed. They are removed only with their whole session, after its end and by the host ([`Journal::remove`]).
//! 4. A session belongs to a claim, and a claim to one running agent: neither to a process nor to an open journal. So two agents of one
//!    process can't both go on either. The hold ends with `release`, or when the claim is dropped. Between processes, holds only spare
//!    a conflict; the fence alone decides.
//! 5. A session says in which format its entries are ([`Format`]). A reader refuses newer entries and unknown kinds, with their place.
//!    A part that is silently dropped would change the fold.
//! 6. An entry holds its media, or their names in the journal. The bytes of a name are durable before the entry.
//! 7. The agent removes what tools mark as secret before an entry gets here (`agent/redaction/`). A journal needs no redaction of its
//!    own.

mod answer;
mod awaited;
mod check;
mod claim;
mod claims;
mod entry;
mod error;
mod filter;
mod format;
mod guarded;
mod interrupt_cause;
mod join;
mod json;
mod log;
mod media;
mod memory;
mod seq;
mod snapshot;
mod withdrawal;

pub use answer::CallAnswer;
pub use awaited::Awaited;
pub use check::{PromiseError, check_journal};
pub use claim::{Asked, Claim, WeakClaim};
pub use claims::{Claims, Taking};
pub use entry::Entry;
pub use error::{AppendError, ReadError};
pub use filter::SessionFilter;
pub use format::{Format, NewerFormat};
pub(crate) use guarded::GuardedJournal;
pub use interrupt_cause::InterruptCause;
pub use join::JoinPolicy;
pub use json::read_json;
pub use log::Journal;
pub use media::find_media;
pub(crate) use media::{Blobs, blobs, find};
pub use memory::MemoryJournal;
pub use seq::Seq;
pub use snapshot::Snapshot;
pub use withdrawal::Withdrawal;
