//! Groups of tasks whose results wake the model together.

use std::{sync::Arc, time::Duration};

use super::AgentMachine;
use crate::{
    agent::{group::Standing, ledger::Life},
    clock::Timestamp,
    id::TaskNo,
    journal::{Entry, JoinPolicy},
    task::TurnNo,
};

/// Tasks whose results wake the model together.
pub(super) struct WakeGroup {
    pub(super) tasks: Vec<TaskNo>,
    pub(super) join: JoinPolicy,
    pub(super) until: Option<Timestamp>,
}

impl AgentMachine {
    pub(super) fn on_group(&mut self, name: Arc<str>, tasks: Vec<TaskNo>, join: JoinPolicy, limit: Option<Duration>) {
        if self.ledger.life() != Life::Open {
            return;
        }
        let settled = self.join(name, tasks, join, limit);
        self.after_settling(&settled);
        self.forget_wake();
        self.reconsider();
    }

    /// Joins tasks to a group; returns the tasks that ended by it.
    pub(super) fn join(
        &mut self,
        name: Arc<str>,
        mut tasks: Vec<TaskNo>,
        join: JoinPolicy,
        limit: Option<Duration>,
    ) -> Vec<TaskNo> {
        let mut settled = Vec::new();
        tasks.retain(|number| self.ledger.tasks().get(number).is_some_and(|record| record.is_task()));
        tasks.sort_unstable();
        tasks.dedup();
        if tasks.is_empty() {
            return settled;
        }
        let entry = Entry::Grouped {
            group: name,
            tasks: tasks.clone(),
            join,
            until: limit.map(|limit| self.now.after(limit)),
            at: self.now,
        };
        self.record(entry);
        if let Some(number) = tasks.into_iter().find(|number| self.has_completed(*number)) {
            self.stop_others(number, &mut settled);
        }
        settled
    }

    /// Group that the host or the model put the task in, otherwise the group of its turn.
    pub(super) fn group_of(&self, number: TaskNo) -> Option<WakeGroup> {
        if let Some(group) = self.ledger.group_of(number) {
            return Some(WakeGroup {
                tasks: group.tasks.clone(),
                join: group.join,
                until: group.until,
            });
        }
        let policy = self.policy.wake;
        if policy.join == JoinPolicy::Any {
            return None;
        }
        let record = self.ledger.tasks().get(&number)?;
        let is_running = self
            .ledger
            .open_turn()
            .is_some_and(|open| open.turn == record.turn && !open.ended);
        if is_running {
            // More calls of the turn may follow.
            return None;
        }
        let answered = record.answered;
        Some(WakeGroup {
            tasks: self.calls_of(number, record.turn),
            join: policy.join,
            until: policy
                .deadline
                .zip(answered)
                .map(|(limit, answered)| answered.after(limit)),
        })
    }

    /// Tasks of the same turn that are in no group of their own. The calls of a turn have consecutive numbers.
    fn calls_of(&self, number: TaskNo, turn: TurnNo) -> Vec<TaskNo> {
        let tasks = self.ledger.tasks();
        let before = tasks
            .range(..number)
            .rev()
            .take_while(|(_, record)| record.turn == turn);
        let after = tasks.range(number..).take_while(|(_, record)| record.turn == turn);
        let mut calls: Vec<TaskNo> = before
            .chain(after)
            .filter(|(number, record)| record.is_task() && self.ledger.group_of(**number).is_none())
            .map(|(number, _)| *number)
            .collect();
        calls.sort_unstable();
        calls
    }

    pub(super) fn standing(&self, tasks: &[TaskNo]) -> Standing {
        let mut standing = Standing::default();
        for number in tasks {
            if self.ledger.is_open(*number) {
                standing.open += 1;
            } else {
                standing.ended += 1;
                standing.completed += u32::from(self.has_completed(*number));
            }
        }
        standing
    }

    /// Stops the other tasks of a group in which one success is enough.
    pub(super) fn stop_others(&mut self, number: TaskNo, settled: &mut Vec<TaskNo>) {
        let Some(group) = self.group_of(number).filter(|group| group.join == JoinPolicy::FirstOk) else {
            return;
        };
        for other in group.tasks {
            if other != number && self.ledger.is_open(other) {
                self.cancel(other, format!("{number}, of the same group, came first"), settled);
            }
        }
    }
}
