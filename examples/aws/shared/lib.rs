//! Tools on AWS, the messages that complete their tasks, and an agent that lives only while something happens. The programs beside this library
//! show them.
//!
//! # Invariants
//!
//! 1. The SDK's own retries are off. The retries of a tool know its effect, and each error says if the work was started ([`fault`]).
//! 2. A message is deleted only after the journal has its consequence. So it may come twice, and its task is told once.
//! 3. An agent leaves its session before its process ends, so the next one takes the session up at once.

mod alarm;
mod attribute;
mod clock;
mod cloud;
mod completion;
mod conversation;
mod counted;
pub mod fault;
mod journal;
mod mark;
mod names;
mod order;
mod poller;
mod settle;
pub mod tools;
mod visit;

pub use alarm::Alarm;
pub use attribute::json_of;
pub use clock::now;
pub use cloud::{Cloud, ConnectError};
pub use completion::Completion;
pub use conversation::{converse, exit};
pub use counted::Counted;
pub use journal::journal;
pub use mark::Mark;
pub use names::Names;
pub use order::Order;
pub use poller::{Poller, Received};
pub use settle::{Settled, Unsettled, settle};
pub use visit::{Host, News, Visit, VisitError};
