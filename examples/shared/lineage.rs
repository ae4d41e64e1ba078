//! The record of tasks that submit tasks, made of the manager's events.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use async_tool_runtime::{
    AsyncTaskResult, TaskEvent, TaskId,
    task::{TaskSnapshot, Timestamp},
};

/// Tasks that have ended, each below the one that submitted it.
///
/// Only the snapshots say which task submitted which, so it has to see the events from the beginning.
#[derive(Debug, Default)]
pub struct Lineage {
    /// In the order in which the tasks were made: their ids sort so, and a snapshot is in no order.
    parents: BTreeMap<TaskId, Option<TaskId>>,
    ended: HashMap<TaskId, Arc<AsyncTaskResult>>,
}

impl Lineage {
    /// Takes in the next event.
    pub fn observe(&mut self, event: &TaskEvent) {
        match event {
            TaskEvent::Snapshot(open) => open.iter().for_each(|task| self.meet(task)),
            TaskEvent::Accepted(task) | TaskEvent::Started(task) => self.meet(task),
            TaskEvent::Settled(result) => {
                self.ended.insert(result.task, Arc::clone(result));
            }
            _ => {}
        }
    }

    /// The tasks that no task submitted, in the order in which they were made.
    pub fn roots(&self) -> impl Iterator<Item = &AsyncTaskResult> {
        self.below(None)
    }

    /// The tasks that this one submitted, in the order in which they were made.
    pub fn children(&self, task: TaskId) -> impl Iterator<Item = &AsyncTaskResult> {
        self.below(Some(task))
    }

    /// Whether every task that is known has ended.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.parents.keys().all(|task| self.ended.contains_key(task))
    }

    /// From the first acceptance to the last end; `None` if no task has ended.
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

    /// Calls itself until it is at the bottom.
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
