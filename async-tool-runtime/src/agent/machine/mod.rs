//! The machine that decides what an agent does.
//!
//! [`AgentMachine::step`] takes an input and the time, and gives actions. One file for each kind of decision: `turn.rs` asks the model,
//! `call.rs` takes its calls, `answer.rs` ends a turn, `delivery.rs` tells late results, `groups.rs` joins tasks, `control.rs` carries out the
//! `task` tool, `recovery.rs` takes a session up again, `close.rs` ends it.
//!
//! # Invariants
//!
//! 1. No clock, no randomness, no lock and no await: the same inputs give the same actions, so a recorded session can be played again.
//! 2. The ledger changes only by entries that are appended (`AgentMachine::record`), so the fold of the journal is the ledger.
//! 3. All entries of a step are one append, before every other action: nothing is carried out that isn't durable.

mod action;
mod agent_machine;
mod answer;
mod call;
mod close;
mod control;
mod delivery;
mod groups;
mod input;
mod phase;
mod recovery;
mod reports;
mod stall;
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
