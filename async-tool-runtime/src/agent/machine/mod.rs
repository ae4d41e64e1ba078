//! Sans-IO machine that decides what an agent does.
//!
//! ```
//! use async_tool_runtime::{
//!     agent::{
//!         machine::{AgentAction, AgentInput, AgentMachine},
//!         AgentPolicy, Ledger,
//!     },
//!     task::Timestamp,
//!     AsyncToolManager, SessionId,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let manager = AsyncToolManager::builder().build()?;
//! let policy = AgentPolicy::new(manager.registry());
//! let mut machine = AgentMachine::new(SessionId::new("s"), None, [].into(), policy, Ledger::new());
//! let now = Timestamp::from_millis(0);
//! # let nonce = "0f9a2c46d1e84b7f".to_owned();
//! let _append = machine.step(now, AgentInput::Open { nonce, works_for: None });
//! let actions = machine.step(now, AgentInput::User("hello".into()));
//! assert!(matches!(&actions[0], AgentAction::Append(entries) if entries.len() == 2));
//! assert!(actions.iter().any(|action| matches!(action, AgentAction::StartTurn(..))));
//! # Ok(())
//! # }
//! ```
//!
//! [`AgentMachine::step`] takes an input and the time, and returns actions. Each kind of decision has a file:
//!
//! - `turn.rs` calls the model, `call.rs` accepts its calls, `answer.rs` answers them.
//! - `interrupt.rs` breaks a turn off, for a result, the host or a message.
//! - `delivery.rs` delivers late results, `groups.rs` joins tasks.
//! - `prune.rs` keeps requests within the model's context.
//! - `control.rs` carries out the `task` tool, `repeats.rs` answers calls with which a model repeats itself.
//! - `recovery.rs` resumes a session, `close.rs` ends it.
//!
//! # Invariants
//!
//! 1. No clock, no randomness, no lock and no await: the same inputs give the same actions, so a recorded session can
//!    be replayed.
//! 2. The ledger changes only by appended entries (`AgentMachine::record`), so the fold of the journal is the ledger.
//! 3. All entries of a step form one append, before every other action: no action runs before its entries are durable.

mod action;
mod agent_machine;
mod answer;
mod call;
mod changed;
mod circles;
mod close;
mod control;
mod delivery;
mod groups;
mod input;
mod interrupt;
mod phase;
mod prompt;
mod prune;
mod recovery;
mod repeats;
mod reports;
mod stall;
mod status;
mod streamed_turn;
mod tasks;
mod timers;
mod turn;
mod unkept;
mod user;

pub use action::{AgentAction, Timer};
pub use agent_machine::AgentMachine;
pub use input::{AgentInput, TurnEvent};
pub use stall::Stall;
