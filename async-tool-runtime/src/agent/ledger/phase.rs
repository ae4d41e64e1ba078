//! Phases of a session and of its turn.

use serde::{Deserialize, Serialize};

use crate::{id::TaskNo, journal::InterruptCause, task::TurnNo};

/// Turn that runs, or whose calls have no answers yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OpenTurn {
    pub(crate) turn: TurnNo,
    /// While the turn runs, its accepted calls; once it has ended, all its calls in order.
    pub(crate) calls: Vec<TaskNo>,
    pub(crate) ended: bool,
    /// Cause for which it was broken off, if the model must be told so in a note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) broken_off: Option<InterruptCause>,
}

/// Phase of a session between its first and its last entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Life {
    #[default]
    Open,
    Closing,
    Closed,
}
