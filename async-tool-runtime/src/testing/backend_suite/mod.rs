//! Rules that every engine must keep, as a test of a few lines.
//!
//! The suite uses an engine through its [`Backend`](crate::backend::Backend) alone, and starts, stops and kills its workers through
//! [`BackendEngine`]. Each rule has a session of its own, so all rules can share one server.
//!
//! Absent on purpose: speed, outages of the engine, and its end by a crash. The engine's own tests cover those.

mod bench;
mod cancellations;
mod engine;
mod heartbeats;
mod lost_workers;
mod outcomes;
mod payloads;
mod rule;
mod stage;
mod stopped_workers;
mod submissions;
mod suite;

pub use engine::{BackendEngine, BackendWorker};
pub use rule::BackendRule;
pub use suite::BackendSuite;
