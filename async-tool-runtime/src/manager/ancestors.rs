//! The tasks above a task.

use std::sync::Arc;

use super::{Inner, task::TaskCell};
use crate::{id::TaskId, session::SessionId};

/// Limit of a line: a host may write any parent into a task, also the task itself.
const LEVELS: usize = 64;

impl Inner {
    /// The known tasks above this one, the nearest first.
    pub(super) fn ancestors(&self, cell: &TaskCell) -> Vec<Arc<TaskCell>> {
        let parent = |cell: &TaskCell| self.tasks().find(cell.spec.parent?);
        std::iter::successors(parent(cell), |above| parent(above))
            .take(LEVELS)
            .collect()
    }

    /// The ids of the tasks above this one, the nearest first; the last one may be forgotten.
    pub(crate) fn above(&self, cell: &TaskCell) -> Vec<TaskId> {
        let next = |task: &TaskId| self.tasks().find(*task)?.spec.parent;
        std::iter::successors(cell.spec.parent, next).take(LEVELS).collect()
    }

    /// The task at the top of the line, also where it is forgotten, and its session.
    pub(super) fn root_of(&self, cell: &TaskCell) -> (TaskId, SessionId) {
        let ancestors = self.ancestors(cell);
        let root = ancestors.last().map_or(&cell.spec, |root| &root.spec);
        (root.parent.unwrap_or(root.task), root.session.clone())
    }
}
