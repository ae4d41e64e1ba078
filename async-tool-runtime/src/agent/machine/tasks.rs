//! Queries about one task.

use std::sync::Arc;

use super::{
    AgentMachine,
    phase::Phase,
    status::{asked_before, status},
};
use crate::{
    agent::ledger::{Life, Told, Waits},
    id::{TaskId, TaskNo},
    task::{AsyncTaskResult, NamedTask, TaskOutcome, TaskStatus, ToolQuestion, WaitsFor},
    tool::{DeliveryPolicy, InputRequest},
};

impl AgentMachine {
    /// Status of a task; `None` if the session has no such task.
    pub(crate) fn status(&self, number: TaskNo) -> Option<TaskStatus> {
        let record = self.ledger.tasks().get(&number).filter(|record| record.is_task())?;
        Some(status(record, number, &self.running, &self.asked))
    }

    /// Question that an open task, or one below it, waits for; its own comes first.
    pub(crate) fn question(&self, number: TaskNo) -> Option<ToolQuestion> {
        let record = self.ledger.tasks().get(&number)?;
        if record.result.is_some() {
            return None;
        }
        let asked = self.asked.get(&number);
        let live = asked.and_then(|asked| asked.get(&record.task).or_else(|| asked.values().next()));
        live.cloned().or_else(|| {
            let request = asked_before(record, number, &self.running)?;
            Some(ToolQuestion::new(Arc::clone(&record.call.name), request.clone()))
        })
    }

    /// Cause of an open task's wait, as far as the session knows it.
    pub(crate) fn waits_for(&self, number: TaskNo) -> Option<WaitsFor> {
        let record = self.ledger.tasks().get(&number)?;
        if record.result.is_some() {
            return None;
        }
        if self.waiting.contains(&number) {
            let of = record.awaits.iter().filter_map(|awaited| self.named(awaited.task));
            return Some(WaitsFor::Result { of: of.collect() });
        }
        let own = self.asked.get(&number).and_then(|asked| asked.get(&record.task));
        let own = own.map(|question| &question.request);
        match (
            own.or_else(|| asked_before(record, number, &self.running)),
            &record.waits,
        ) {
            (Some(InputRequest::Approval { .. }), _) => Some(WaitsFor::Consent),
            (Some(InputRequest::Input { .. }), _) => Some(WaitsFor::Input),
            (None, Waits::Completion(until)) => Some(WaitsFor::Outside { until: *until }),
            (None, _) => match self.waits.get(&number) {
                None if !self.running.contains(&number) => Some(WaitsFor::Slot),
                known => known.cloned(),
            },
        }
    }

    fn named(&self, number: TaskNo) -> Option<NamedTask> {
        let record = self.ledger.tasks().get(&number)?;
        Some(NamedTask {
            task: record.task,
            number: Some(number),
            session: self.session.clone(),
            tool: Arc::clone(&record.call.name),
        })
    }

    /// True if an open task asked in an earlier process, and has not done so yet in this one.
    pub(crate) fn is_to_ask(&self, number: TaskNo) -> bool {
        let record = self.ledger.tasks().get(&number);
        record.is_some_and(|record| asked_before(record, number, &self.running).is_some())
            && !self.waiting.contains(&number)
    }

    /// True if the function of a task has begun in this process.
    pub(crate) fn has_begun(&self, number: TaskNo) -> bool {
        self.running.contains(&number)
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
