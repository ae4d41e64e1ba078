//! What every journal must do, as a test of five lines.
//!
//! The suite knows a journal by its trait alone, and a store by [`JournalStore`]: how it is opened, and how it is killed. Each rule gets a
//! new store, so what one rule finds isn't the consequence of another.
//!
//! Absent on purpose: speed, and what a store does when its disk is full or lies. That is for the tests of the store.

mod batches;
mod contents;
mod crashes;
mod error;
mod fences;
mod rule;
mod samples;
mod sessions;
mod snapshots;
mod stage;
mod store;
mod suite;

pub use error::{BrokenRule, JournalSuiteError};
pub use rule::JournalRule;
pub use store::JournalStore;
pub use suite::JournalSuite;
