//! Agents: a state machine that decides, and a shell that does the I/O.
//!
//! ```
//! use async_tool_runtime::{async_tool, tools, AsyncAgent, AsyncToolManager, RulePlanner};
//!
//! /// Counts the words of a text.
//! #[async_tool(effect = "read")]
//! async fn count_words(text: String) -> usize {
//!     text.split_whitespace().count()
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = AsyncToolManager::builder().tools(tools![count_words]).build()?;
//! let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
//! let summary = agent.run_to_completion(r#"count_words "to be or not to be""#).await?;
//! assert_eq!(summary.text, "t1 count_words is done: 6");
//! agent.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`AgentMachine`](machine::AgentMachine) is sans-IO: it has no clock, no randomness and no locks, and awaits nothing.
//! Time and ids come with its inputs. Its knowledge is a [`Ledger`], the fold of the journal; its decisions are
//! [`AgentAction`](machine::AgentAction)s. The shell (`shell.rs`) is one tokio task per session. It owns the machine
//! and carries out the actions in order.
//!
//! A [`FrameGuard`] reads the model's text first. It cuts out results that the model wrote itself, before the user, the
//! journal or a tool sees them, and the model is told. The machine itself answers calls of the `task` tool
//! (`task_tool.rs`), from the ledger.
//!
//! # Invariants
//!
//! 1. At most one turn runs per session. One function marks the agent busy, drains the inbox and declares it idle, so
//!    no input can slip in between.
//! 2. Every accepted task is settled exactly once; the ledger refuses later settlements.
//! 3. Every settled outcome is delivered exactly once, or dropped by an entry with the reason.
//! 4. Before any turn, every call has exactly one answer.
//! 5. No call is answered twice.
//! 6. A result is delivered only after its `Settled` entry, and a call is `Accepted` before it runs. An action behind
//!    an `Append` waits until the append is durable.
//! 7. A user message never waits for results that the model has not seen.
//! 8. After `Closed` no task of the session runs, except detached ones.
//! 9. The fold of the journal equals the ledger of the live machine, at every entry: the machine changes its ledger
//!    only by applying the entry that it appends.
//!
//! The ledger enforces 2 to 6: it refuses entries that would break them. A refused entry is a defect; it is reported
//! and never written.
//!
//! An agent with a loop of its own ([`Agent`](custom::Agent)) is a [`Model`](crate::model::Model) for the machine
//! (`whole.rs`). So all of this holds for it, turn by turn. An agent that is a tool (`sub.rs`) is an ordinary agent in
//! a session of its own. `bounds.rs` limits the part of the manager that it can reach.
//!
//! Absent on purpose: policy in the shell. Its only decision is when to retry a journal.

mod agent_error;
mod agent_task;
mod audience;
mod bounds;
mod builder;
mod closing;
mod command;
pub mod custom;
mod departure;
mod event;
mod event_channel;
mod event_id;
mod event_stream;
mod grace;
mod grounding;
mod group;
mod guard;
mod handle;
mod idleness;
mod interruption;
mod leaving;
mod ledger;
mod limits;
pub mod machine;
mod member;
mod parked;
mod past;
mod policy;
mod question;
mod questions;
mod recorded;
mod recover;
mod redaction;
mod registry;
mod remembered;
mod resumption;
mod run_error;
mod run_once;
mod run_summary;
mod setup;
mod shell;
mod snapshot;
mod start_error;
mod state;
mod status;
mod sub;
#[cfg(any(test, feature = "testing"))]
mod tap;
pub(crate) mod task_tool;
mod weak_agent;

pub use agent_error::AgentError;
pub use agent_task::AgentTask;
pub use audience::{RegistryEventStream, SessionEvent};
pub use builder::AsyncAgentBuilder;
pub use closing::CloseMode;
pub use departure::Departure;
pub use event::{AgentEvent, AgentEventKind};
pub use event_id::{EventId, ParseEventIdError};
pub use event_stream::AgentEventStream;
pub use grace::LearnedGrace;
pub use grounding::Grounding;
pub use guard::{FrameCut, FrameGuard};
pub use handle::AsyncAgent;
pub use interruption::Interruption;
pub use ledger::{FoldError, Ledger};
pub use limits::{RunLimit, RunLimits, RunTotals};
pub use parked::{Parked, ParkedTask};
pub use policy::{AckPolicy, AgentPolicy, MessagePolicy, WakePolicy};
pub use question::AgentQuestion;
pub use recover::{RecoverError, Recovery};
pub use redaction::{REDACTED, Redact};
pub use registry::{
    AgentRegistry, WeakAgentRegistry, builder::AgentRegistryBuilder, error::RegistryError, recovery::RegistryRecovery,
    session_events::SessionEventStream,
};
pub use resumption::Resumption;
pub use run_error::RunError;
pub use run_once::{RunOnceError, run};
pub use run_summary::RunSummary;
pub use start_error::StartError;
pub use state::AgentState;
#[cfg(any(test, feature = "testing"))]
pub(crate) use tap::Tap;
pub use weak_agent::WeakAgent;
