//! Runs tasks: admission, execution, events.
//!
//! # Invariants
//!
//! 1. `submit` never waits for a tool, and never fails after the task was accepted.
//! 2. Whatever happens to an accepted task (value, error, panic, timeout, cancellation, abort, a runtime that is shut
//!    down), it is settled once, its slot is freed, and its session hears of it. The guard in `run.rs` does this in
//!    `Drop`, because that is the one thing that happens in every case.
//! 3. The registry never changes after `build()`; all that can be wrong with it is said there.
//! 4. No lock is held across an await or while user code runs. User code is: tools, binders, callbacks and layers. The one exception
//!    is `session_weight`, which is asked under the lock of the queue, and caught where it panics.
//!
//! Absent on purpose: anything about conversations. The manager knows a session only as a return address; what a model
//! is told, and when, is decided in `agent/`.

mod admission;
mod ancestors;
mod builder;
mod counters;
mod error;
mod executor;
mod inner;
pub(crate) mod layers;
mod news;
mod people;
mod quarantine;
mod queue;
mod recovery;
mod remote;
mod reports;
mod routes;
mod run;
mod same;
mod shutdown;
mod stats;
mod submission;
mod table;
mod task;
mod tool_manager;
mod waiting;
mod waits;
mod when_full;

pub use builder::{AsyncToolManagerBuilder, BuildError};
pub(crate) use counters::Count;
pub use error::SubmitError;
pub use executor::Executor;
pub(crate) use executor::outcome_of;
pub(crate) use inner::{Callback, Inner};
pub use layers::{ToolRequest, ToolService};
pub(crate) use news::TaskNews;
pub use people::ResolveError;
pub use shutdown::ShutdownReport;
pub use stats::ManagerStats;
pub use task::{ChildTask, TaskHandle};
pub(crate) use task::{Suspension, TaskCell, record_of};
pub use tool_manager::AsyncToolManager;
pub use when_full::WhenFull;
