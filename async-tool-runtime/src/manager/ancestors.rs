//! Ancestors of a task: its parent, the parent's parent, and so on. Descendants that outlast an ended task.

use std::{collections::HashSet, sync::Arc};

use super::{AsyncToolManager, Inner, TaskHandle, levels::LEVELS, task::TaskCell};
use crate::{id::TaskId, session::SessionId};

impl AsyncToolManager {
    /// Tasks below these that were told to stop and have not ended yet.
    pub(crate) fn stopping_below(&self, tasks: impl Iterator<Item = TaskId>) -> Vec<TaskHandle> {
        let known = tasks.filter_map(|task| self.inner.tasks().find(task));
        let (mut ended, mut stopping): (Vec<_>, Vec<_>) = (known.collect(), Vec::new());
        let mut seen = HashSet::new();
        while let Some(cell) = ended.pop() {
            if !seen.insert(Arc::as_ptr(&cell)) {
                continue;
            }
            ended.extend(cell.shared_run());
            for child in cell.children() {
                match child.is_settled() {
                    true => ended.push(child),
                    false if child.is_cancelled() => stopping.push(TaskHandle::new(child)),
                    false => {}
                }
            }
        }
        stopping
    }
}

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
