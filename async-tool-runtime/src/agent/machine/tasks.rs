//! Queries about one task.

use super::AgentMachine;
use crate::{
    agent::ledger::Told,
    id::{TaskId, TaskNo},
    task::{AsyncTaskResult, TaskOutcome, TaskStatus},
    tool::DeliveryPolicy,
};

impl AgentMachine {
    /// Status of a task; `None` if the session has no such task.
    pub(crate) fn status(&self, number: TaskNo) -> Option<TaskStatus> {
        let record = self.ledger.tasks().get(&number).filter(|record| !record.own)?;
        Some(match &record.result {
            Some(result) => result.status(),
            None if self.running.contains(&number) => TaskStatus::Running,
            None => TaskStatus::Queued,
        })
    }

    /// Delivery policy of a task.
    pub(crate) fn delivery_of(&self, number: TaskNo) -> DeliveryPolicy {
        let record = self.ledger.tasks().get(&number);
        record.map_or(self.policy.delivery, |record| {
            record
                .delivery
                .unwrap_or_else(|| self.policy.delivery_of(&record.call.name))
        })
    }

    /// Number of a task that has not ended.
    pub(super) fn open(&self, task: TaskId) -> Option<TaskNo> {
        let number = self.ledger.number(task)?;
        self.ledger.is_open(number).then_some(number)
    }

    pub(super) fn told(&self, number: TaskNo) -> Option<Told> {
        self.ledger.tasks().get(&number).map(|record| record.told)
    }

    pub(super) fn has_completed(&self, number: TaskNo) -> bool {
        let result = self
            .ledger
            .tasks()
            .get(&number)
            .and_then(|record| record.result.as_ref());
        result.is_some_and(|result| matches!(result.outcome, TaskOutcome::Completed(_)))
    }

    /// Result of a task, if it has ended.
    pub(super) fn result_of(&self, number: TaskNo) -> Option<&AsyncTaskResult> {
        self.ledger.tasks().get(&number)?.result.as_deref()
    }
}
