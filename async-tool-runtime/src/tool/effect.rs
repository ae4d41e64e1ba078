//! What a call does to the world, and whether it may outlive its turn.

use serde::{Deserialize, Serialize};

/// What a call does to the world. It decides what may be started early and what may be repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effect {
    /// Changes nothing: may be started early, repeated and cached.
    Read,
    /// Changes something, but twice with the same idempotency key is the same as once: starts when the model's turn is
    /// complete, and may be repeated with that key.
    Idempotent,
    /// Must not happen twice: starts when the model's turn is complete, and is never repeated unless an error says the
    /// work was not started. The default, because it is the safe one.
    #[default]
    Once,
}

impl Effect {
    /// Whether doing it twice does no harm.
    #[must_use]
    pub const fn is_repeatable(self) -> bool {
        matches!(self, Self::Read | Self::Idempotent)
    }
}

/// Whether a call may outlive the model's turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Background {
    /// Answered with its result if that is in within the grace time, otherwise acknowledged. The default.
    #[default]
    Auto,
    /// Acknowledged as soon as the turn ends, without a grace time.
    Always,
    /// Not acknowledged: the model's next turn waits for the result, however long it takes. Only a message of the user's ends the
    /// wait, and then the call goes on in the background.
    Never,
}
