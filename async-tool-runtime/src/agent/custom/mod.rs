//! Agents that have a loop of their own.
//!
//! [`AsyncAgent::wrap`](crate::AsyncAgent::wrap) makes any [`Agent`] asynchronous: another framework's agent, or a loop that you wrote.

mod turn_context;
mod turn_input;
mod turn_mark;
mod whole;

pub use turn_context::{CallReceipt, TurnContext, TurnOverError, TurnReply};
pub use turn_input::{TurnInput, TurnItem};
pub use whole::{Agent, Transactional, WholeAgent};
