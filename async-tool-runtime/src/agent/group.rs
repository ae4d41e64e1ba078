//! Groups of tasks whose results wake the model together.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{clock::Timestamp, id::TaskNo, journal::JoinPolicy};

/// Counts of a group's tasks by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) open: u32,
    pub(crate) completed: u32,
    pub(crate) ended: u32,
}

impl Standing {
    /// True if enough results have come for the join.
    pub(crate) const fn fulfils(self, join: JoinPolicy) -> bool {
        let Self { open, completed, ended } = self;
        if open == 0 {
            return true;
        }
        match join {
            JoinPolicy::Any => ended > 0,
            JoinPolicy::All => false,
            JoinPolicy::FirstOk => completed > 0,
            JoinPolicy::Quorum(wanted) => completed >= wanted || completed + open < wanted,
        }
    }
}

/// Tasks whose results wake the model together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskGroup {
    pub(crate) name: Arc<str>,
    pub(crate) tasks: Vec<TaskNo>,
    pub(crate) join: JoinPolicy,
    pub(crate) until: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_is_fulfilled_when_enough_has_come_or_no_more_can_come() {
        let standing = |open, completed, ended| Standing { open, completed, ended };
        let table = [
            (JoinPolicy::Any, standing(2, 0, 0), false),
            (JoinPolicy::Any, standing(1, 0, 1), true),
            (JoinPolicy::All, standing(1, 1, 1), false),
            (JoinPolicy::All, standing(0, 1, 2), true),
            (JoinPolicy::FirstOk, standing(1, 0, 1), false),
            (JoinPolicy::FirstOk, standing(1, 1, 1), true),
            (JoinPolicy::FirstOk, standing(0, 0, 2), true),
            (JoinPolicy::Quorum(2), standing(2, 1, 1), false),
            (JoinPolicy::Quorum(2), standing(1, 2, 2), true),
            (JoinPolicy::Quorum(2), standing(1, 1, 2), false),
            (JoinPolicy::Quorum(2), standing(1, 0, 2), true),
            (JoinPolicy::Quorum(9), standing(3, 0, 0), true),
            (JoinPolicy::Quorum(0), standing(3, 0, 0), true),
        ];
        for (join, standing, expected) in table {
            assert_eq!(standing.fulfils(join), expected, "{join:?} {standing:?}");
        }
    }
}
