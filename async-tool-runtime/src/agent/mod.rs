//! The agent: a state machine that decides, and a shell that moves bytes.
//!
//! [`AgentMachine`](machine::AgentMachine) is sans-IO: it has no clock, no randomness, no locks, and awaits nothing. Time and ids come in with
//! the input. What it knows is a [`Ledger`], the fold of the journal; what it decides are [`AgentAction`](machine::AgentAction)s. The shell
//! (`shell.rs`) is one tokio task per session that owns the machine and carries actions out in order.
//!
//! A model's text passes a [`FrameGuard`] first: a result that the model wrote itself is cut out before the user, the journal or a tool sees it, and
//! the model is told. The `task` tool (`task_tool.rs`) is answered by the machine, from the ledger.
//!
//! # Invariants
//!
//! 1. At most one turn runs per session. Busy is marked, the inbox drained and idle declared in one place, so nothing can
//!    slip in between.
//! 2. Every accepted task is settled exactly once; later settlements are refused by the ledger.
//! 3. Every settled outcome is delivered exactly once, or dropped by an entry that says why.
//! 4. Before any turn, every call has exactly one answer.
//! 5. No call is answered twice.
//! 6. A result is delivered only after its `Settled` entry, and a call is `Accepted` before it runs. An action behind an
//!    `Append` waits until the append is durable.
//! 7. A user message is never delayed by results that have not been shown yet.
//! 8. After `Closed` no task of the session runs.
//! 9. The fold of the journal equals the ledger of the live machine, at every entry: the machine changes its ledger only by
//!    applying the entry that it appends.
//!
//! The ledger enforces 2 to 6 by refusing entries that would break them; an entry that is refused is a defect, is never
//! written, and is reported.
//!
//! An agent that has a loop of its own ([`Agent`](custom::Agent)) is a [`Model`](crate::model::Model) to the machine (`whole.rs`), so all of this holds for it,
//! turn by turn. An agent that is a tool (`sub.rs`) is an agent like any other, in a session of its own; `bounds.rs` says what
//! it may reach of the manager.
//!
//! Absent on purpose: policy in the shell. It decides nothing but when to try a journal again.

mod bounds;
mod builder;
mod closing;
pub mod custom;
mod event;
mod grace;
mod group;
mod guard;
mod handle;
mod ledger;
mod limits;
pub mod machine;
mod policy;
mod questions;
mod recover;
mod redaction;
mod resumption;
mod shell;
mod snapshot;
mod start_error;
mod state;
mod sub;
#[cfg(any(test, feature = "testing"))]
mod tap;
pub(crate) mod task_tool;

pub use builder::AsyncAgentBuilder;
pub use closing::CloseMode;
pub use event::{AgentEvent, AgentEventKind, AgentEventStream};
pub use grace::LearnedGrace;
pub use guard::{FrameCut, FrameGuard};
pub use handle::{AgentError, AgentTask, AsyncAgent, RunError, RunSummary};
pub use ledger::{FoldError, Ledger};
pub use limits::{RunLimit, RunLimits, RunTotals};
pub use policy::{AckPolicy, AgentPolicy, WakePolicy};
pub use recover::{RecoverError, Recovery};
pub use redaction::{REDACTED, Redact};
pub use resumption::Resumption;
pub use start_error::StartError;
pub use state::AgentState;
#[cfg(any(test, feature = "testing"))]
pub(crate) use tap::Tap;
