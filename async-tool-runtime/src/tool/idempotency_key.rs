//! Key that all attempts of a task share.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::TaskId;

/// Key that is the same on every attempt of a task, and differs between tasks: `#[inject] key: IdempotencyKey`.
///
/// Pass it to a service that acts only once per key:
///
/// ```
/// use async_tool_runtime::{
///     async_tool, tool::{IdempotencyKey, State}, tools, AsyncToolManager, SessionId, ToolCall, ToolError, ToolErrorKind,
/// };
/// use serde_json::json;
/// use std::{collections::HashSet, sync::Mutex};
///
/// /// A bank that charges once per key.
/// #[derive(Default)]
/// struct Bank(Mutex<HashSet<String>>);
///
/// /// Charges a customer.
/// #[async_tool(effect = "idempotent", retry(attempts = 2))]
/// async fn charge(cents: u32, #[inject] key: IdempotencyKey, #[inject] bank: State<Bank>) -> Result<String, ToolError> {
///     let is_new = bank.0.lock().unwrap().insert(key.to_string());
///     if is_new {
///         // The bank has charged, but its answer is lost.
///         return Err(ToolError::new(ToolErrorKind::Unavailable, "connection reset"));
///     }
///     Ok(format!("charged {cents} once"))
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![charge]).state(Bank::default()).build()?;
/// let call = ToolCall::new("call_1", "charge", json!({"cents": 250}));
/// let result = manager.submit(&SessionId::new("example"), call)?.outcome().await;
/// assert_eq!((result.outcome.value(), result.attempts), (Some(&json!("charged 250 once")), 2));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdempotencyKey(TaskId);

impl IdempotencyKey {
    pub(crate) const fn new(task: TaskId) -> Self {
        Self(task)
    }

    /// Key of a nested call: the same whenever a retried task makes that call again.
    ///
    /// FNV-1a with 128 bits, because the key must not change between releases; std's hashers may change.
    pub(crate) fn below(self, ordinal: u32, tool: &str, arguments: &str) -> Self {
        const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        let parts = [
            &self.0.as_u128().to_be_bytes()[..],
            &ordinal.to_be_bytes(),
            tool.as_bytes(),
            &[0],
            arguments.as_bytes(),
        ];
        let hash = parts
            .into_iter()
            .flatten()
            .fold(BASIS, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME));
        // UUID version 8, whose bits RFC 9562 leaves to the application.
        let bits = (hash & !(0xf << 76) & !(0x3 << 62)) | (0x8 << 76) | (0x2 << 62);
        Self(TaskId::from_u128(bits))
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
