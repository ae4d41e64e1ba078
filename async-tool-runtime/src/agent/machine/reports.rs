//! Reports of running tasks: start, progress, questions.

use super::AgentMachine;
use crate::{
    agent::{AgentEventKind, ledger::Waits},
    clock::Timestamp,
    id::{TaskId, TaskNo},
    journal::Entry,
    tool::{InputRequest, ProgressReport},
};

impl AgentMachine {
    pub(super) fn on_started(&mut self, task: TaskId) {
        let Some(number) = self.open(task) else { return };
        if self.running.insert(number) {
            self.emit(AgentEventKind::Started(number));
        }
    }

    pub(super) fn on_progressed(&mut self, task: TaskId, report: ProgressReport) {
        let Some(number) = self.open(task) else { return };
        if self.running.contains(&number) {
            self.progress.insert(number, report.clone());
            self.emit(AgentEventKind::Progressed(number, report));
        }
    }

    pub(super) fn on_asked(&mut self, task: TaskId, asking: TaskId, request: Option<InputRequest>) {
        let Some(number) = self.open(task) else { return };
        // A question of a child task is lost with its parent's function, so it is not recorded. Nor is consent that a
        // running function asks for on behalf of an agent on another manager: it doesn't decide whether this call may
        // begin.
        let is_passed_on = matches!(request, Some(InputRequest::Approval { .. })) && self.running.contains(&number);
        if task == asking && !is_passed_on {
            let waits = request.clone().map_or(Waits::Nothing, Waits::Answer);
            let known = self.ledger.tasks().get(&number).map(|record| &record.waits);
            if known.is_some_and(|known| *known != waits && !matches!(known, Waits::Completion(_))) {
                self.record(Entry::Asked {
                    task: number,
                    request: request.clone(),
                    at: self.now,
                });
            }
        }
        self.emit(AgentEventKind::InputRequired {
            number,
            asking,
            request,
        });
    }

    pub(super) fn on_deferred(&mut self, task: TaskId, until: Option<Timestamp>) {
        if let Some(number) = self.open(task) {
            self.defer(number, until);
        }
    }

    /// Records that a task waits for its completion from outside.
    pub(super) fn defer(&mut self, number: TaskNo, until: Option<Timestamp>) {
        let Some(record) = self.ledger.tasks().get(&number) else {
            return;
        };
        let is_first = !matches!(record.waits, Waits::Completion(_));
        // A function may defer its task again before it is dropped. Of several deadlines the earliest counts.
        let is_sooner = match (&record.waits, until) {
            (Waits::Completion(known), Some(until)) => known.is_none_or(|known| until < known),
            _ => is_first,
        };
        if is_sooner {
            self.record(Entry::Deferred {
                task: number,
                until,
                at: self.now,
            });
        }
        if is_first {
            self.emit(AgentEventKind::Deferred(number));
        }
    }
}
