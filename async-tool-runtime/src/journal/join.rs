//! Number of results of a group that wake the model.

use serde::{Deserialize, Serialize};

/// Number of results of a group that make one wake-up.
///
/// A join decides when the model is asked, and never what it is told: a turn that starts for another reason takes along all
/// results that wait. Once a join is fulfilled it stays so, and what comes later wakes the model as if there were no group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JoinPolicy {
    /// Any result. The default: every result wakes the model, and such as come together wake it once.
    #[default]
    Any,
    /// All results.
    All,
    /// The first that isn't a failure; the other tasks are told to stop, and their ends wake nobody. If all fail, all of them.
    FirstOk,
    /// This many that aren't failures; or all, if so many can no longer be had.
    Quorum(u32),
}
