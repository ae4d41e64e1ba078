//! Phases of a session and of its turn.

use serde::{Deserialize, Serialize};

use crate::{id::TaskNo, task::TurnNo};

/// Turn that runs, or whose calls have no answers yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OpenTurn {
    pub(crate) turn: TurnNo,
    /// While the turn runs, its accepted calls; once it has ended, all its calls in order.
    pub(crate) calls: Vec<TaskNo>,
    pub(crate) ended: bool,
}

/// Phase of a session between its first and its last entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Life {
    #[default]
    Open,
    Closing,
    Closed,
}
