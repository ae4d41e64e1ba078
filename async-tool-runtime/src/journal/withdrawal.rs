//! Causes of turns that are broken off.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Cause for which a turn is broken off before the model has said anything.
///
/// ```
/// use async_tool_runtime::journal::Withdrawal;
///
/// assert_eq!(serde_json::to_value(Withdrawal::UserMessage)?, "user_message");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Withdrawal {
    /// A result came while the model was asked only because of acknowledgements.
    Result,
    /// A user message came while the model was asked for another reason than a user message.
    UserMessage,
}
