//! Cause of an interruption.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::TaskNo;

/// Cause of the interruption of a turn.
///
/// ```
/// use async_tool_runtime::{TaskNo, journal::InterruptCause};
/// use serde_json::json;
///
/// let cause = InterruptCause::Result { task: TaskNo::new(3) };
/// assert_eq!(serde_json::to_value(cause)?, json!({"kind": "result", "task": "t3"}));
/// assert_eq!(serde_json::to_value(InterruptCause::Host)?, json!({"kind": "host"}));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[non_exhaustive]
pub enum InterruptCause {
    /// A result that can't wait ([`DeliveryPolicy::Interrupt`](crate::tool::DeliveryPolicy::Interrupt)). The next turn has it.
    Result {
        /// Task of the result.
        task: TaskNo,
    },
    /// The host, for example a user who pressed "stop": [`AsyncAgent::interrupt`](crate::AsyncAgent::interrupt).
    Host,
    /// A user message that came while the turn ran ([`MessagePolicy::Interrupt`](crate::agent::MessagePolicy::Interrupt)). The next
    /// turn answers it.
    Message,
}

/// A few words, to be read after "interrupted by".
impl fmt::Display for InterruptCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Result { task } => task.fmt(f),
            Self::Host => f.write_str("the host"),
            Self::Message => f.write_str("a message"),
        }
    }
}
