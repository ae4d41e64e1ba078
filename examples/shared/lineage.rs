//! A record of tasks that submit tasks, from the manager's events.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use async_tool_runtime::{
    AsyncTaskResult, TaskEvent, TaskId,
    task::{TaskSnapshot, Timestamp},
};

/// Tasks that have ended, each below the task that submitted it.
///
/// Only snapshots name the parent of a task, so the record must observe all events from the first.
#[derive(Debug, Default)]
pub struct Lineage {
    /// In the order of creation, which is the order of the ids. A snapshot has no order.
    parents: BTreeMap<TaskId, Option<TaskId>>,
    ended: HashMap<TaskId, Arc<AsyncTaskResult>>,
}

impl Lineage {
    /// Records the next event.
    pub fn observe(&mut self, event: &TaskEvent) {
        match event {
            TaskEvent::Snapshot { tasks } => tasks.iter().for_each(|task| self.meet(task)),
            TaskEvent::Accepted(task) | TaskEvent::Started(task) => self.meet(task),
            TaskEvent::Settled(result) => {
                self.ended.insert(result.task, Arc::clone(result));
            }
            _ => {}
        }
    }

    /// Tasks without a parent, in the order of creation.
    pub fn roots(&self) -> impl Iterator<Item = &AsyncTaskResult> {
        self.below(None)
    }

    /// Tasks that this task submitted, in the order of creation.
    pub fn children(&self, task: TaskId) -> impl Iterator<Item = &AsyncTaskResult> {
        self.below(Some(task))
    }

    /// True if every known task has ended.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.parents.keys().all(|task| self.ended.contains_key(task))
    }

    /// Times of the first acceptance and of the last end; `None` if no task has ended.
    #[must_use]
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let first = self.ended.values().map(|result| result.timing.accepted).min()?;
        let last = self.ended.values().map(|result| result.timing.settled).max()?;
        Some((first, last))
    }

    fn below(&self, parent: Option<TaskId>) -> impl Iterator<Item = &AsyncTaskResult> {
        let below = self.parents.iter().filter(move |(_, of)| **of == parent);
        below.filter_map(|(task, _)| self.ended.get(task).map(Arc::as_ref))
    }

    fn meet(&mut self, task: &TaskSnapshot) {
        self.parents.insert(task.task, task.parent);
    }
}

#[cfg(test)]
mod tests {
    use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, ToolContext, ToolError, async_tool, tools};
    use serde_json::{Value, json};

    use super::*;

    /// Calls itself until `depth` is 0.
    #[async_tool(effect = "read")]
    async fn descend(depth: u32, #[inject] cx: ToolContext) -> Result<u32, ToolError> {
        if depth > 0 {
            let _below: u32 = cx.call_tool("descend", json!({"depth": depth - 1})).await?;
        }
        Ok(depth)
    }

    #[tokio::test]
    async fn each_task_is_below_the_one_that_submitted_it() {
        let manager = AsyncToolManager::builder().tools(tools![descend]).build().unwrap();
        let mut events = manager.events();
        let call = ToolCall::new("call_1", "descend", json!({"depth": 2}));
        let task = manager.submit(&SessionId::new("s"), call).unwrap();

        let mut lineage = Lineage::default();
        while lineage.roots().next().is_none() || !lineage.is_complete() {
            lineage.observe(&events.next().await.unwrap());
        }
        let mut depths = Vec::new();
        let mut below = lineage.roots().next();
        assert_eq!(below.map(|root| root.task), Some(task.id()));
        while let Some(result) = below {
            depths.extend(result.outcome.value().and_then(Value::as_u64));
            below = lineage.children(result.task).next();
        }
        assert_eq!(depths, [2, 1, 0]);
    }
}
