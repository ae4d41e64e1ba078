//! Queries about one task.

use super::{AgentMachine, phase::Phase};
use crate::{
    agent::ledger::{Life, Told, Waits},
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

    /// Tasks without which nothing more happens: open, and submitted. With each, true if the ledger has a wait of it for
    /// the outside. `None` if the agent does something by itself.
    pub(crate) fn submitted(&self) -> Option<Vec<(TaskNo, TaskId, bool)>> {
        if self.ledger.life() == Life::Closed {
            return Some(Vec::new());
        }
        let is_quiet = self.phase == Phase::Idle
            && self.wake.is_none()
            && self.ledger.draining().is_none()
            && (self.stalled.is_some() || !self.wants_turn())
            && !self.holds_back_for_a_time();
        if !is_quiet {
            return None;
        }
        // A task that waits for others' results starts when these have come, so it is never the last one.
        let submitted = self.ledger.open_tasks().filter(|number| !self.waiting.contains(number));
        let tasks = submitted.filter_map(|number| {
            let record = self.ledger.tasks().get(&number)?;
            Some((number, record.task, record.waits != Waits::Nothing))
        });
        Some(tasks.collect())
    }

    /// True if a result will wake the model at the time limit of its group.
    fn holds_back_for_a_time(&self) -> bool {
        let until = |(number, _)| self.group_of(number)?.until;
        let is_silent = |number| self.delivery_of(number) == DeliveryPolicy::Silent;
        self.stalled.is_none()
            && !self.batch
            && self
                .ledger
                .inbox()
                .any(|(number, result)| !is_silent(number) && until((number, result)).is_some())
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
