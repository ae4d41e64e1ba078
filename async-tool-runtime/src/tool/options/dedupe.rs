//! What happens to a call that is the same as one that is still open.

use serde::{Deserialize, Serialize};

/// What happens to a call while another one of the same tool with the same arguments is still open.
///
/// Arguments are the same if they are the same JSON values; the order of the keys and the spelling of numbers don't count.
/// Whose calls are compared is the tool's [`Scope`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Dedupe {
    /// Both run. The default.
    #[default]
    Allow,
    /// The function runs once, and every call gets its outcome. It goes on as long as one of the calls still wants it, also if
    /// the first was cancelled. A failure is everybody's failure, and what a run gives whose time is up is everybody's value. A tool
    /// that calls itself with the same arguments would wait for itself.
    Share,
    /// The later call is refused with [`ToolErrorKind::Duplicate`](crate::tool::ToolErrorKind::Duplicate).
    Reject,
    /// The earlier call is cancelled once the later is let in, which has its place if the queue is full. A call that is refused cancels
    /// nothing.
    Replace,
}

impl Dedupe {
    /// Whether a call is open once at a time, so that it has to be known which are.
    pub(crate) const fn is_exclusive(self) -> bool {
        match self {
            Self::Allow | Self::Share => false,
            Self::Reject | Self::Replace => true,
        }
    }
}

/// Between whose calls cached values and running calls are shared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scope {
    /// Between the calls of one session. The default: what a tool gives may depend on who asks.
    #[default]
    Session,
    /// Between the calls of all sessions.
    Shared,
}
