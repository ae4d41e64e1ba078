//! Tools of [`async_tool_runtime`] on workers of many machines, over [Temporal](https://temporal.io)'s standalone activities.
//!
//! - The agent's side is [`TemporalBackend`]: give it to a manager, and its tools run on workers.
//! - The worker's side is [`TemporalWorker`]: give it the executor of a manager with the same tools.
//!
//! ```no_run
//! use async_tool_runtime::{AsyncToolManager, async_tool, tools};
//! use async_tool_temporal::{TemporalBackend, TemporalWorker};
//!
//! /// Count the letters of a word.
//! #[async_tool(effect = "read")]
//! async fn count_letters(
//!     /// The word.
//!     word: String,
//! ) -> usize {
//!     word.chars().count()
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let stop = std::future::ready(());
//! // In the processes of the workers.
//! let manager = AsyncToolManager::builder().tools(tools![count_letters]).build()?;
//! TemporalWorker::new("http://127.0.0.1:7233", "tools", manager.executor().clone()).run(stop).await?;
//!
//! // In the agent's process.
//! let backend = TemporalBackend::connect("http://127.0.0.1:7233").queue("tools").await?;
//! let manager = AsyncToolManager::builder().tools(tools![count_letters]).backend(backend).build()?;
//! # drop(manager);
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//!
//! 1. **A task is stored when `submit` returns**, and its id is the idempotency key: submitting it again, running or ended, starts nothing.
//! 2. **A start is stored before the function begins.** So a call with the effect `once` never begins twice.
//!    A tool that kills its workers ends with an error.
//! 3. **The end of a task is told until the server has it**, as long as the worker lives. An outage that is shorter than the heartbeat
//!    timeout costs no running task its worker.
//! 4. **A worker that stops cancels nothing**, and neither does one that is lost. Only a cancellation of the caller is one.
//! 5. **A deadline ends a task**, also without a worker.
//! 6. **Nothing is thrown away for its size**: what is too large for the server is refused before the work, or becomes an error that names
//!    the limit.
//!
//! The list of a session's open tasks lags behind by moments, because it comes from Temporal's index.
//!
//! # In production
//!
//! A Temporal server, version 1.31 or newer, or Temporal Cloud, with a namespace that has the search attribute `AgentSession` of the type
//! `Keyword`. The page [`production`] says how to set it up, what the workers of a queue share, and what a tool on a worker can't do.

mod activity;
mod assignment;
mod backend;
mod connect;
mod ending;
mod error;
#[cfg(test)]
mod fake;
mod hands;
mod open;
#[doc = include_str!("../PRODUCTION.md")]
pub mod production {}
mod pulse;
mod refusal;
mod server;
mod session;
mod start;
mod watch;
mod worker;

pub use backend::TemporalBackend;
pub use connect::Connect;
pub use error::{TemporalError, TemporalErrorKind};
pub use server::Server;
pub use worker::TemporalWorker;

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
