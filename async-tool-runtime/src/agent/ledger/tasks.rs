//! Entries of tasks: acceptance, waits, groups, settlement.

use std::sync::Arc;

use super::{FoldError, Ledger, TaskRecord, Told, Waits, error::require, phase::Life};
use crate::{
    agent::group::TaskGroup,
    id::TaskNo,
    journal::{Awaited, Entry},
    task::AsyncTaskResult,
};

impl Ledger {
    pub(super) fn apply_task(&mut self, entry: &Entry) -> Result<(), FoldError> {
        match entry {
            Entry::Accepted {
                turn,
                task,
                number,
                call,
                awaits,
                own,
                repeats,
                at,
            } => {
                let record = TaskRecord {
                    task: *task,
                    turn: *turn,
                    traceparent: self.turn_trace.clone(),
                    call: call.clone(),
                    awaits: awaits.clone(),
                    awaited_by: Vec::new(),
                    own: *own,
                    repeats: *repeats,
                    refusal: None,
                    attempt: 1,
                    accepted: *at,
                    answered: None,
                    told: Told::Nothing,
                    result: None,
                    cancel: None,
                    waits: Waits::Nothing,
                    checkpoint: None,
                    delivery: None,
                };
                self.accept(entry, *number, record)?;
            }
            Entry::Settled { result } => self.settle(entry, result)?,
            Entry::CancelRequested { task, reason, .. } => {
                let record = self.record_mut(*task, entry)?;
                record.cancel.get_or_insert_with(|| reason.clone());
            }
            Entry::Resubmitted { task, attempt, .. } => {
                let record = self.open_mut(*task, entry, "only a task that has not ended is submitted again")?;
                require(entry, *attempt > record.attempt, "attempts are counted upwards")?;
                record.attempt = *attempt;
                record.waits = Waits::Nothing;
            }
            Entry::Deferred { task, until, .. } => {
                let record = self.open_mut(*task, entry, "only a task that has not ended waits")?;
                if let Waits::Completion(Some(known)) = record.waits {
                    let is_sooner = until.is_some_and(|until| until < known);
                    require(entry, is_sooner, "the deadline of a completion is never put off")?;
                }
                record.waits = Waits::Completion(*until);
            }
            Entry::Asked { task, request, .. } => {
                let record = self.open_mut(*task, entry, "only a task that has not ended asks")?;
                let is_left = matches!(record.waits, Waits::Completion(_));
                require(entry, !is_left, "a task that is completed from outside asks nothing")?;
                record.waits = request.clone().map_or(Waits::Nothing, Waits::Answer);
            }
            Entry::Checkpointed { task, checkpoint, .. } => {
                let record = self.open_mut(*task, entry, "only a task that has not ended saves a checkpoint")?;
                record.checkpoint = Some(Arc::clone(checkpoint));
            }
            Entry::DeliverySet { task, policy, .. } => self.record_mut(*task, entry)?.delivery = Some(*policy),
            Entry::Grouped {
                group,
                tasks,
                join,
                until,
                ..
            } => {
                let group = TaskGroup {
                    name: Arc::clone(group),
                    tasks: tasks.clone(),
                    join: *join,
                    until: *until,
                };
                self.group(entry, group)?;
            }
            Entry::Detached { tasks, .. } => self.detach(entry, tasks)?,
            other => return Err(FoldError::of_another_family(other)),
        }
        Ok(())
    }

    fn accept(&mut self, entry: &Entry, number: TaskNo, record: TaskRecord) -> Result<(), FoldError> {
        require(entry, number == self.next_number(), "tasks are numbered without gaps")?;
        let is_known = self.numbers.contains_key(&record.task);
        require(entry, !is_known, "the task was accepted already")?;
        let is_task = |awaited: &Awaited| self.tasks.get(&awaited.task).is_some_and(TaskRecord::is_task);
        require(
            entry,
            record.awaits.iter().all(is_task),
            "a task waits only for earlier ones",
        )?;
        if let Some(of) = record.repeats {
            let is_repeated = |of: &TaskRecord| {
                let has_value = of.result.as_ref().is_none_or(|result| result.outcome.is_completed());
                of.is_task() && of.call.name == record.call.name && has_value
            };
            require(
                entry,
                !record.own && self.tasks.get(&of).is_some_and(is_repeated),
                "a call repeats only an open or completed task of its tool",
            )?;
        }
        let open = self
            .open_turn
            .as_mut()
            .filter(|open| open.turn == record.turn && !open.ended);
        let open = open.ok_or_else(|| FoldError::new(entry, "the turn of the call isn't running"))?;
        let is_repeated = open
            .calls
            .iter()
            .any(|known| self.tasks[known].call.id == record.call.id);
        require(entry, !is_repeated, "the calls of a turn have different ids")?;
        open.calls.push(number);
        self.run.tool_calls = self.run.tool_calls.saturating_add(1);
        if record.is_task() {
            self.open_tasks.insert(number);
        }
        for awaited in &record.awaits {
            let followers = &mut self.record_mut(awaited.task, entry)?.awaited_by;
            if followers.last() != Some(&number) {
                followers.push(number);
            }
        }
        self.numbers.insert(record.task, number);
        self.tasks.insert(number, record);
        Ok(())
    }

    fn settle(&mut self, entry: &Entry, result: &Arc<AsyncTaskResult>) -> Result<(), FoldError> {
        let number = self.number(result.task);
        let number = number.ok_or_else(|| FoldError::new(entry, "the task was never accepted"))?;
        let record = self.record_mut(number, entry)?;
        require(entry, record.result.is_none(), "the task is settled already")?;
        require(
            entry,
            record.is_task(),
            "a call that the agent answers itself is no task",
        )?;
        record.result = Some(Arc::clone(result));
        record.waits = Waits::Nothing;
        record.checkpoint = None;
        if record.told == Told::Ack {
            self.inbox.push_back(number);
        }
        self.open_tasks.remove(&number);
        Ok(())
    }

    fn group(&mut self, entry: &Entry, group: TaskGroup) -> Result<(), FoldError> {
        for number in &group.tasks {
            let is_task = self.record_mut(*number, entry)?.is_task();
            require(entry, is_task, "only tasks are joined to a group")?;
        }
        for known in &mut self.groups {
            known.tasks.retain(|number| !group.tasks.contains(number));
        }
        self.groups
            .retain(|known| known.name != group.name && !known.tasks.is_empty());
        self.groups.push(group);
        Ok(())
    }

    fn detach(&mut self, entry: &Entry, tasks: &[TaskNo]) -> Result<(), FoldError> {
        require(
            entry,
            self.life == Life::Closing,
            "tasks are detached only while the session is closing",
        )?;
        for number in tasks {
            require(
                entry,
                self.is_open(*number),
                "only a task that has not ended is detached",
            )?;
        }
        for number in tasks {
            self.record_mut(*number, entry)?.told = Told::Dropped;
            self.open_tasks.remove(number);
        }
        Ok(())
    }

    /// Record of a task that has not ended.
    fn open_mut(&mut self, number: TaskNo, entry: &Entry, rule: &'static str) -> Result<&mut TaskRecord, FoldError> {
        require(entry, self.is_open(number), rule)?;
        self.record_mut(number, entry)
    }
}
