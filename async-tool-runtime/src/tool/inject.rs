//! What a tool can ask of the host.

use std::{
    any::{TypeId, type_name},
    fmt,
};

use serde::{Deserialize, Serialize};

use super::{CancellationToken, ToolContext, ToolError};
use crate::TaskId;

/// A type that the host can supply to a parameter marked `#[inject]`.
///
/// Implement it for your own types to build them from what a [`ToolContext`] offers:
///
/// ```
/// use async_tool_runtime::{FromToolContext, ToolContext, ToolError};
///
/// struct Attempt(u32);
///
/// impl FromToolContext for Attempt {
///     fn from_tool_context(cx: &ToolContext) -> Result<Self, ToolError> {
///         Ok(Attempt(cx.attempt()))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be injected into a tool",
    label = "the host doesn't know how to supply this",
    note = "`#[inject]` takes `ToolContext`, `CancellationToken`, `Progress`, `Messages`, `IdempotencyKey`, `State<T>`, or a type with `impl FromToolContext`",
    note = "for a value of the host's, take `State<{Self}>` and register it with `.state(value)` on the manager's builder"
)]
pub trait FromToolContext: Sized {
    /// Makes the value for one attempt.
    ///
    /// # Errors
    ///
    /// What stands in the way; the attempt fails with it.
    fn from_tool_context(cx: &ToolContext) -> Result<Self, ToolError>;

    /// What must have been registered for this to work; checked when the manager is built. Default: nothing.
    #[must_use]
    fn requirement() -> Option<Requirement> {
        None
    }
}

/// Something a tool needs the host to have registered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    id: TypeId,
    name: &'static str,
}

impl Requirement {
    /// A value registered with `.state(value)`.
    #[must_use]
    pub fn state<T: 'static>() -> Self {
        Self {
            id: TypeId::of::<T>(),
            name: type_name::<T>(),
        }
    }

    /// The name of the type that is needed.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        self.name
    }

    pub(crate) const fn type_id(&self) -> TypeId {
        self.id
    }
}

impl fmt::Debug for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Requirement({})", self.name)
    }
}

/// A key that is the same on every attempt of a task and for no other task: give it to a service that promises to do
/// a thing once per key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdempotencyKey(TaskId);

impl IdempotencyKey {
    pub(crate) const fn new(task: TaskId) -> Self {
        Self(task)
    }

    /// The key of a call below a task: the same whenever the task, tried again, makes that call again.
    ///
    /// FNV-1a with 128 bits, which stays what it is from one release to the next; std's hashers need not.
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
        // As a UUID of version 8, which is for hashes of one's own.
        let bits = (hash & !(0xf << 76) & !(0x3 << 62)) | (0x8 << 76) | (0x2 << 62);
        Self(TaskId::from_u128(bits))
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromToolContext for ToolContext {
    fn from_tool_context(cx: &ToolContext) -> Result<Self, ToolError> {
        Ok(cx.clone())
    }
}

impl FromToolContext for CancellationToken {
    fn from_tool_context(cx: &ToolContext) -> Result<Self, ToolError> {
        Ok(cx.cancellation().clone())
    }
}

impl FromToolContext for IdempotencyKey {
    fn from_tool_context(cx: &ToolContext) -> Result<Self, ToolError> {
        Ok(cx.idempotency_key())
    }
}
