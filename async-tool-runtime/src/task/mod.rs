//! Tasks as data: ids, status, outcome, result and events of one background execution.
//!
//! ```
//! # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, task::TaskOutcome, tools};
//! # use serde_json::json;
//! # /// Adds two numbers.
//! # #[async_tool(effect = "read")]
//! # fn add(a: i64, b: i64) -> i64 {
//! #     a + b
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
//! let call = ToolCall::new("call_1", "add", json!({"a": 2, "b": 3}));
//! let task = manager.submit(&SessionId::new("s"), call)?;
//!
//! let result = task.outcome().await;
//! assert_eq!(result.outcome, TaskOutcome::Completed(json!(5)));
//! assert!(result.status().is_terminal());
//! assert_eq!(result.attempts, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Invariants
//!
//! 1. An accepted task ends in exactly one [`AsyncTaskResult`]; the first writer wins. All code that waits for a task relies on
//!    it: without an end it would wait forever, and with two ends the model could be told twice.
//! 2. A terminal [`TaskStatus`] never changes again.
//! 3. A model sees only the [`TaskNo`] of a task. It is short, cheap in tokens, and means nothing in another session, so a model
//!    can't name a task of another session.
//!
//! Absent on purpose: the code that runs tasks (`manager/`), and the code that passes results to a model (`agent/`).

mod ack;
mod attempt;
mod event;
mod future_argument;
mod json_size;
mod named;
mod outcome;
mod preview;
mod question;
mod result;
mod send;
mod spec;
mod status;
mod timing;
mod turn;
mod turn_cause;
mod waits_for;

pub use crate::{
    clock::Timestamp,
    id::{ParseTaskIdError, ParseTaskNoError, TaskId, TaskNo},
    session::SessionId,
};
pub use ack::TaskAck;
pub use attempt::TaskAttempt;
pub use event::{TaskEvent, TaskEventStream, TaskSnapshot};
pub use future_argument::{FutureArgument, TaskRef};
pub(crate) use json_size::json_bytes;
pub use named::NamedTask;
pub use outcome::TaskOutcome;
pub use preview::ResultPreview;
pub(crate) use preview::{cut_arguments, repeated_arguments};
pub use question::ToolQuestion;
pub use result::AsyncTaskResult;
pub use send::SendError;
pub use spec::TaskSpec;
pub use status::TaskStatus;
pub use timing::Timing;
pub use turn::TurnNo;
pub use turn_cause::TurnCause;
pub use waits_for::WaitsFor;
