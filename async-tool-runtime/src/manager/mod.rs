//! Running of tools: admission, execution and events of tasks.
//!
//! An [`AsyncToolManager`] accepts calls as tasks, runs them in the background within its limits, and settles each one
//! once.
//!
//! ```
//! use async_tool_runtime::{AsyncToolManager, SessionId, TaskStatus, ToolCall, async_tool, tools};
//! use serde_json::json;
//!
//! /// Counts the words of a text.
//! #[async_tool(effect = "read")]
//! async fn count_words(text: String) -> usize {
//!     text.split_whitespace().count()
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = AsyncToolManager::builder().tools(tools![count_words]).concurrency(16).build()?;
//! let call = ToolCall::new("call_1", "count_words", json!({"text": "to be or not to be"}));
//! let task = manager.submit(&SessionId::new("example"), call)?; // Returns at once.
//! assert!(!task.status().is_terminal());
//!
//! let result = task.outcome().await;
//! assert_eq!(result.status(), TaskStatus::Completed);
//! assert_eq!(result.outcome.value(), Some(&json!(6)));
//! # Ok(())
//! # }
//! ```
//!
//! # Invariants
//!
//! 1. `submit` never waits for a tool, and never fails after the task was accepted.
//! 2. Every accepted task is settled once, its slot is freed, and its session is told. That holds after a value, an
//!    error, a panic, a timeout, a cancellation, an abort, and the shutdown of its runtime. The guard in `run.rs` does
//!    it in `Drop`, because only `Drop` runs in every case.
//! 3. The registry never changes after `build()`, so `build()` reports every error in it.
//! 4. No lock is held across an await or while user code runs. User code is: tools, binders, callbacks and layers. The
//!    one exception is `session_weight`, which runs under the lock of the queue; a panic in it is caught.
//! 5. An answer or a result from outside gets its reply from the session's record first (`records.rs`), because the
//!    manager forgets ended tasks, and knows nothing of those that ended in an earlier process.
//!
//! Absent on purpose: anything about conversations. The manager knows a session only as a return address. `agent/`
//! decides what a model is told, and when.

mod admission;
mod ancestors;
mod asking;
mod builder;
mod circles;
mod contents;
mod counters;
mod end;
mod error;
mod executor;
mod held_back;
mod inner;
mod inside;
mod latencies;
mod layers;
mod levels;
mod news;
mod people;
mod publication;
mod quarantine;
mod queue;
mod records;
mod recovery;
mod remote;
mod remote_engine;
mod reports;
mod residents;
mod rest;
mod route;
mod routes;
mod run;
mod running;
mod same;
mod session_waits;
mod shown_wait;
mod shutdown;
mod snapshot;
mod stats;
mod stop;
mod strays;
mod submission;
mod table;
mod task;
mod tool_manager;
mod traces;
mod waiting;
mod waits;
mod watch;
mod when_full;
mod worker;
mod worker_settings;
mod worker_span;

pub(crate) use asking::Asking;
pub use builder::{AsyncToolManagerBuilder, BuildError};
pub(crate) use counters::Count;
#[cfg(feature = "metrics")]
pub(crate) use end::kind_of;
pub(crate) use end::log_end;
pub use error::SubmitError;
pub use executor::Executor;
pub(crate) use executor::outcome_of;
pub(crate) use inner::{Callback, Inner};
pub(crate) use inside::WaitInside;
pub(crate) use latencies::Latencies;
pub use layers::{ToolRequest, ToolService};
pub(crate) use news::TaskNews;
pub use people::ResolveError;
pub(crate) use residents::Resident;
pub(crate) use rest::Rest;
pub(crate) use shown_wait::ShownWait;
pub use shutdown::ShutdownReport;
pub use snapshot::{
    BreakerSnapshot, CacheSnapshot, ManagerSnapshot, QueueSnapshot, RateSnapshot, SessionSlots, SlotUse, SlotsSnapshot,
    ToolSnapshot, WaitingTasks,
};
pub use stats::ManagerStats;
pub use task::{ChildTask, TaskHandle};
pub(crate) use task::{Suspension, TaskCell, Wait, record_of};
pub use tool_manager::AsyncToolManager;
pub use traces::TracePropagator;
pub(crate) use traces::Traces;
pub use when_full::WhenFull;

pub use crate::policy::BreakerState;
