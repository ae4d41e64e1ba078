//! Number of a turn.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Number of a turn in its session; the first is 1. A turn is one model call with its tool calls.
///
/// ```
/// use async_tool_runtime::{SessionId, ToolCall, task::{TaskSpec, TurnNo}};
/// use serde_json::json;
///
/// let call = ToolCall::new("call_1", "search", json!({"query": "rust"}));
/// let spec = TaskSpec::new(SessionId::new("s"), call).with_turn(TurnNo::new(2));
/// assert_eq!(spec.turn.map(TurnNo::as_u32), Some(2));
/// assert_eq!(TurnNo::new(2).to_string(), "turn 2");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct TurnNo(u32);

impl TurnNo {
    /// Creates a turn number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number as an integer.
    #[must_use]
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    pub(crate) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for TurnNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "turn {}", self.0)
    }
}
