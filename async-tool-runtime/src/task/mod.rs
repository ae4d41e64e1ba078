//! One background execution: its names, its status and how it ended.
//!
//! # Invariants
//!
//! 1. A task that was accepted ends in exactly one [`AsyncTaskResult`]; the first writer wins. Everything that waits for
//!    a task relies on it: a task without an end would wait for ever, one with two could be told twice.
//! 2. A terminal [`TaskStatus`] never changes again.
//! 3. [`TaskNo`] is all a model ever sees of a task's name: short, cheap in tokens, and without meaning in another
//!    session, so a model can't name a task that isn't its own.
//!
//! Absent on purpose: the code that runs tasks (`manager/`), and anything about who reads the result (`agent/`).

mod ack;
mod event;
mod future_argument;
mod outcome;
mod preview;
mod result;
mod send;
mod spec;
mod status;
mod timing;
mod turn;

pub use crate::{
    clock::Timestamp,
    id::{ParseTaskIdError, ParseTaskNoError, TaskId, TaskNo},
    session::SessionId,
};
pub use ack::TaskAck;
pub use event::{TaskEvent, TaskEventStream, TaskSnapshot};
pub use future_argument::{FutureArgument, TaskRef};
pub use outcome::TaskOutcome;
pub use preview::ResultPreview;
pub use result::AsyncTaskResult;
pub use send::SendError;
pub use spec::TaskSpec;
pub use status::TaskStatus;
pub use timing::Timing;
pub use turn::TurnNo;
