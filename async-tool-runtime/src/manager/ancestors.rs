//! Ancestors of a task: its parent, the parent's parent, and so on.

use std::sync::Arc;

use super::{Inner, task::TaskCell};
use crate::{id::TaskId, session::SessionId};

/// Limit of levels: a host may write any parent into a task, even the task itself.
const LEVELS: usize = 64;

impl Inner {
    /// Known ancestors of a task, nearest first.
    pub(super) fn ancestors(&self, cell: &TaskCell) -> Vec<Arc<TaskCell>> {
        let parent = |cell: &TaskCell| self.tasks().find(cell.spec.parent?);
        std::iter::successors(parent(cell), |above| parent(above))
            .take(LEVELS)
            .collect()
    }

    /// Ids of the ancestors of a task, nearest first. The task of the last id may be forgotten.
    pub(crate) fn above(&self, cell: &TaskCell) -> Vec<TaskId> {
        let next = |task: &TaskId| self.tasks().find(*task)?.spec.parent;
        std::iter::successors(cell.spec.parent, next).take(LEVELS).collect()
    }

    /// Id of the topmost ancestor, which may be forgotten, and session of the topmost known one.
    pub(super) fn root_of(&self, cell: &TaskCell) -> (TaskId, SessionId) {
        let ancestors = self.ancestors(cell);
        let root = ancestors.last().map_or(&cell.spec, |root| &root.spec);
        (root.parent.unwrap_or(root.task), root.session.clone())
    }
}
