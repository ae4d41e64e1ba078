//! Which results wake the model together.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{TaskNo, Timestamp};

/// How many results of a group make one wake-up.
///
/// A join decides when the model is asked, and never what it is told: a turn that starts for another reason takes along all
/// results that wait. Once a join is fulfilled it stays so, and what comes later wakes the model as if there were no group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Join {
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

/// How the members of a group stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) open: u32,
    pub(crate) completed: u32,
    pub(crate) ended: u32,
}

impl Join {
    /// Whether what has come is enough.
    pub(crate) const fn is_fulfilled(self, standing: Standing) -> bool {
        let Standing { open, completed, ended } = standing;
        if open == 0 {
            return true;
        }
        match self {
            Self::Any => ended > 0,
            Self::All => false,
            Self::FirstOk => completed > 0,
            Self::Quorum(wanted) => completed >= wanted || completed + open < wanted,
        }
    }
}

/// Tasks whose results wake the model together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskGroup {
    pub(crate) name: Arc<str>,
    pub(crate) tasks: Vec<TaskNo>,
    pub(crate) join: Join,
    pub(crate) until: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_is_fulfilled_when_enough_has_come_or_no_more_can_come() {
        let standing = |open, completed, ended| Standing { open, completed, ended };
        let table = [
            (Join::Any, standing(2, 0, 0), false),
            (Join::Any, standing(1, 0, 1), true),
            (Join::All, standing(1, 1, 1), false),
            (Join::All, standing(0, 1, 2), true),
            (Join::FirstOk, standing(1, 0, 1), false),
            (Join::FirstOk, standing(1, 1, 1), true),
            (Join::FirstOk, standing(0, 0, 2), true),
            (Join::Quorum(2), standing(2, 1, 1), false),
            (Join::Quorum(2), standing(1, 2, 2), true),
            (Join::Quorum(2), standing(1, 1, 2), false),
            (Join::Quorum(2), standing(1, 0, 2), true),
            (Join::Quorum(9), standing(3, 0, 0), true),
            (Join::Quorum(0), standing(3, 0, 0), true),
        ];
        for (join, standing, expected) in table {
            assert_eq!(join.is_fulfilled(standing), expected, "{join:?} {standing:?}");
        }
    }
}
