//! Interface to engines that keep tasks and run them in other processes.
//!
//! The manager runs tasks in its own process unless it has a [`Backend`]. On the agent's side, a backend accepts tasks and
//! returns their ends. On the worker's side the engine drives: it calls a handler, which runs the task with an
//! [`Executor`](crate::manager::Executor). There is no method to claim a task, because engines call handlers and have no
//! such operation.
//!
//! ```text
//!  agent's process                         engine                      worker's process
//!  AsyncToolManager ── submit(TaskSpec) ──► task ── TaskSpec, starts ──► Executor::execute
//!                   ◄─ Heartbeat ───────── heartbeat ◄─ WorkerLink ───── tool
//!                   ◄─ Settlement ──────── result ◄──── Settlement ─────
//! ```
//!
//! # Invariants
//!
//! 1. A task travels as data ([`TaskSpec`](crate::task::TaskSpec)), and the worker's registry finds the function by its
//!    name. So the same tool runs everywhere.
//! 2. The task id is the idempotency key: submitting a task twice is the same as once. So a submit that may have failed is
//!    retried without harm.
//! 3. Delivery to a worker is at least once. The worker stores the settlement before it acknowledges the task to the engine.
//! 4. A start is counted before the function runs, durably. So a worker that is lost has left its mark, and a task whose
//!    function ends every worker is known.
//! 5. A worker never takes more tasks than it has free slots.
//! 6. A worker that stops is not a cancellation: its tasks [are handed back](HandedBack), or run to their ends.
//!
//! # Lost workers
//!
//! The executor decides what becomes of a task that was started before, and of which nothing was heard again:
//!
//! - A task that must not happen twice is never run again. Its tool's
//!   [`reconcile`](crate::tool::FunctionTool::reconcile) is asked; without one, its outcome is unknown.
//! - A repeatable task runs again. Once it has lost two workers, it is a *suspect*, and suspects of a worker run one at a time.
//!   So a function that ends its worker takes no other suspect along, and after a few starts it fails instead of running again.
//!
//! # Per worker, and for all workers
//!
//! | setting | counts |
//! |---|---|
//! | [`concurrency`](crate::manager::AsyncToolManagerBuilder::concurrency), queue, priorities, duplicates, approval, caches, conflicts | in the agent's manager: tasks that were submitted and have not ended |
//! | rate of a tool | twice: in the agent's manager for the calls of that manager, and in each worker for its attempts |
//! | retries and their pauses, breaker, timeout of an attempt, layers below the slot | in each worker |
//! | slots of a worker, line of suspects | in each worker |
//! | limits of the engine's queue, such as starts per second | for all workers |
//!
//! So a breaker that is open on one worker is closed on the next, and `retry(attempts = 3)` counts the attempts of one run.
//! A limit that protects a service from all workers together belongs to the engine's queue.
//!
//! A task's deadline travels as a time of day, so the clocks of agents and workers must agree to within a second or so.
//!
//! # Limits of a tool on a worker
//!
//! A worker has no session. So a tool there can't submit tasks, ask people, save checkpoints, or leave its task to be
//! completed from outside: each of these fails with an error. Messages don't reach it. `build()` refuses what it can know: tools that are
//! [external](crate::tool::FunctionTool::external), and agents that are tools. Progress goes through the engine's
//! heartbeats, if it has them.
//!
//! Absent on purpose: the name and the words of any engine.

mod cancel_mode;
mod capabilities;
mod engine;
mod error;
mod handed_back;
mod heartbeat;
mod progress_reporter;
mod settlement;
mod worker_link;

pub use cancel_mode::CancelMode;
pub use capabilities::BackendCapabilities;
pub use engine::Backend;
pub use error::{BackendError, BackendErrorKind};
pub use handed_back::{HandBackReason, HandedBack};
pub use heartbeat::{Heartbeat, Heartbeats};
pub(crate) use progress_reporter::ProgressReporter;
pub use settlement::Settlement;
pub use worker_link::WorkerLink;
