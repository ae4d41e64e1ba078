//! Requests of the page.
//!
//! # Invariants
//!
//! 1. Every request of data passes three checks: host and origin, cookie, and a limit on its size or number.
//! 2. Acts run on the host's runtime, because they may start tasks. Reads never ask an agent's task, so they answer when it hangs.
//! 3. An error is JSON with a kind and a sentence.

mod act;
mod error;
mod read;
mod routes;
mod task_detail;

pub(crate) use error::ApiError;
pub(crate) use routes::{App, READS, router};
