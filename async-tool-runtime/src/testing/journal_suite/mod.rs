//! Rules that every journal must keep, as a test of five lines.
//!
//! The suite uses a journal through its trait alone, and opens and kills a store through [`JournalStore`]. Each rule gets a new store, so
//! one rule's findings don't depend on another rule.
//!
//! Absent on purpose: speed, and the behavior of a store on a full or faulty disk. The store's own tests cover those.

mod batches;
mod claims;
mod contents;
mod crashes;
mod fences;
mod releases;
mod rule;
mod samples;
mod sessions;
mod snapshots;
mod stage;
mod store;
mod suite;

pub use rule::JournalRule;
pub use samples::sample_entries;
pub use store::JournalStore;
pub use suite::JournalSuite;
