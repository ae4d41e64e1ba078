//! Open questions of a task and of the tasks below it.

use std::sync::Arc;

use super::{AsyncToolManager, TaskCell, levels::LEVELS};
use crate::{clock::Timestamp, id::TaskId, task::NamedTask, tool::InputRequest};

/// Open question, with its way from the task at the top.
pub(crate) struct Asking {
    pub(crate) path: Vec<NamedTask>,
    /// Task to answer.
    pub(crate) asking: TaskId,
    pub(crate) request: InputRequest,
    pub(crate) since: Timestamp,
    /// True if the function that asked is gone.
    pub(crate) is_gone: bool,
}

impl AsyncToolManager {
    /// Open questions of a task and of the tasks below it; `None` if the manager doesn't have the task.
    pub(crate) fn questions_of(&self, task: TaskId) -> Option<Vec<Asking>> {
        let cell = self.inner.tasks().find(task)?;
        let mut found = Vec::new();
        collect(&cell, &mut Vec::new(), &mut found);
        Some(found)
    }

    /// Tasks from the topmost one on this manager down to a task.
    pub(crate) fn way_to(&self, task: TaskId) -> Vec<NamedTask> {
        let Some(cell) = self.inner.tasks().find(task) else {
            return Vec::new();
        };
        let above = self.inner.ancestors(&cell);
        let above = above.iter().rev().map(|above| above.named());
        above.chain([cell.named()]).collect()
    }
}

fn collect(cell: &Arc<TaskCell>, path: &mut Vec<NamedTask>, found: &mut Vec<Asking>) {
    if path.len() > LEVELS || cell.has_ended() {
        return;
    }
    path.push(cell.named());
    let runs = cell.working();
    if let Some((request, since, below)) = runs.open_question() {
        found.push(Asking {
            path: path.iter().cloned().chain(below).collect(),
            asking: cell.spec.task,
            request,
            since,
            is_gone: runs.is_deferred(),
        });
    }
    for child in runs.children() {
        collect(&child, path, found);
    }
    path.pop();
}
