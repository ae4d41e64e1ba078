//! An engine in memory, for tests and as an example of a backend.

mod engine;
mod link;
mod state;
mod worker;

pub use engine::MemoryEngine;
pub use worker::MemoryWorker;
