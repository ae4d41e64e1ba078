//! Reports of running tasks: start, progress, questions.

use std::sync::Arc;

use serde_json::Value;

use super::AgentMachine;
use crate::{
    agent::{AgentEventKind, ledger::Waits},
    clock::Timestamp,
    id::{TaskId, TaskNo},
    journal::Entry,
    task::{ToolQuestion, WaitsFor},
    tool::{InputRequest, ProgressReport},
};

impl AgentMachine {
    pub(super) fn on_started(&mut self, task: TaskId) {
        let Some(number) = self.open(task) else { return };
        if self.running.insert(number) {
            self.emit(AgentEventKind::Started { number });
            self.answer_if_due();
        }
    }

    pub(super) fn on_progressed(&mut self, task: TaskId, report: ProgressReport) {
        let Some(number) = self.open(task) else { return };
        if self.running.contains(&number) {
            self.progress.insert(number, report.clone());
            self.emit(AgentEventKind::Progressed { number, report });
        }
    }

    pub(super) fn on_waits(&mut self, task: TaskId, waits_for: Option<WaitsFor>) {
        let Some(number) = self.open(task) else { return };
        let before = match &waits_for {
            Some(waits_for) => self.waits.insert(number, waits_for.clone()),
            None => self.waits.remove(&number),
        };
        if before != waits_for {
            self.emit(AgentEventKind::Waits { number, waits_for });
        }
    }

    pub(super) fn on_asked(&mut self, task: TaskId, asking: TaskId, question: Option<ToolQuestion>) {
        let Some(number) = self.open(task) else { return };
        match &question {
            Some(question) => drop(self.asked.entry(number).or_default().insert(asking, question.clone())),
            None => {
                if let Some(asked) = self.asked.get_mut(&number) {
                    asked.remove(&asking);
                }
            }
        }
        let request = question.map(|question| question.request);
        // A question of a child task is lost with its parent's function, so it is not recorded. Nor is consent that a
        // running function asks for on behalf of an agent on another manager: it doesn't decide whether this call may
        // begin.
        let is_passed_on = matches!(request, Some(InputRequest::Approval { .. })) && self.running.contains(&number);
        let waits = request.clone().map_or(Waits::Nothing, Waits::Answer);
        let known = self.ledger.tasks().get(&number).map(|record| &record.waits);
        let is_new = known.is_some_and(|known| *known != waits && !matches!(known, Waits::Completion(_)));
        if task == asking && !is_passed_on && is_new {
            self.record(Entry::Asked {
                task: number,
                request,
                at: self.now,
            });
        } else {
            self.emit(AgentEventKind::InputRequired {
                number,
                asking,
                request,
            });
        }
        // The acknowledgement may have waited for this.
        self.answer_if_due();
    }

    pub(super) fn on_deferred(&mut self, task: TaskId, until: Option<Timestamp>) {
        if let Some(number) = self.open(task) {
            self.defer(number, until);
            // The acknowledgement doesn't wait for a result from outside.
            self.answer_if_due();
        }
    }

    pub(super) fn on_checkpointed(&mut self, task: TaskId, checkpoint: Arc<Value>) {
        if let Some(number) = self.open(task) {
            self.record(Entry::Checkpointed {
                task: number,
                checkpoint,
                at: self.now,
            });
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
    }
}
