//! End of an agent's ownership of its session.
//!
//! # Order
//!
//! 1. Nothing of the session runs here any more: its turn is dropped, and its tasks have ended.
//! 2. The journal gives the session up. From now on another process may resume it.
//! 3. The caller of `leave` or `close` gets its answer.

use std::time::Duration;

use tokio::time::Instant;

use super::{AgentError, AgentEvent, AgentEventKind, Parked, ParkedTask, idleness::Idleness, remembered, shell::Shell};
use crate::{id::TaskNo, journal::Entry, manager::Rest, tool::InputRequest};

impl Shell {
    /// Leaves the session, which stays open in its journal. For an agent whose journal has failed, only gives the
    /// session up.
    pub(super) async fn leave(&mut self) -> Result<(), AgentError> {
        if self.machine.ledger().is_closed() {
            return Ok(());
        }
        let was_over = self.is_over();
        self.show_departure();
        // An agent whose journal has failed has stopped its tasks then. Another agent may have them now.
        let tasks = match was_over {
            true => std::mem::take(&mut self.halted),
            false => self.halt(remembered::LEFT),
        };
        if !self.manager.keeps_tasks() {
            for task in &tasks {
                // Another process may run these tasks again, so they must have stopped here.
                task.outcome().await;
            }
            for task in self.stopping() {
                task.outcome().await;
            }
        }
        self.turn = None;
        let given_up = self.give_up().await;
        if given_up.as_ref().is_ok_and(|is_by_us| *is_by_us) {
            for task in &tasks {
                // An agent that resumes the session here must not take its cancellation for its end.
                if task.cell().is_cut_short() {
                    self.manager.forget(task).await;
                }
            }
        }
        if !was_over {
            self.emit(AgentEvent::new(self.manager.now(), AgentEventKind::Left));
            self.stopped = Some("the agent has left the session; resume it to go on".to_owned());
            self.show_status();
        }
        given_up.map(drop).map_err(|error| {
            AgentError::Stopped(format!(
                "the agent has left the session, but its journal may still hold it: {error}"
            ))
        })
    }

    /// Leaves the session if nothing has happened in it for some time, and nothing will without the outside.
    pub(super) async fn leave_if_idle(&mut self, idle: Duration) -> Idleness {
        if !self.is_over() {
            if self.waits().is_none() {
                return Idleness::Busy;
            }
            // A time that can't be represented never comes.
            let rested = self.active.checked_add(idle);
            if rested.is_none_or(|rested| Instant::now() < rested) {
                return rested.map_or(Idleness::Busy, Idleness::Resting);
            }
        }
        let deadline = self.waits().into_iter().flatten().filter_map(|wait| wait.until).min();
        if self.leave().await.is_err() {
            tracing::warn!(target: "async_tool::journal", session = %self.session, "an idle session was left, and the journal may hold it until its lease ends");
        }
        Idleness::Left { deadline }
    }

    /// Tells the manager the statuses of tasks that the journal has now.
    pub(super) fn note(&self, entries: &[Entry]) {
        let session = &self.session;
        for entry in entries {
            match entry {
                Entry::Opened { .. } => tracing::info!(target: "async_tool::agent", %session, "session started"),
                Entry::Resumed { .. } => tracing::info!(target: "async_tool::agent", %session, "session resumed"),
                Entry::Accepted {
                    task,
                    own: false,
                    repeats: None,
                    ..
                } => self.manager.enter([(*task, None)].into_iter()),
                Entry::Settled { result } => {
                    self.manager.enter([(result.task, Some(result.status()))].into_iter());
                }
                Entry::Detached { tasks, .. } => {
                    let records = tasks
                        .iter()
                        .filter_map(|number| self.machine.ledger().tasks().get(number));
                    self.manager.enter_detached(records.map(|record| record.task));
                }
                _ => {}
            }
        }
    }

    /// Tells the manager that the statuses of the session's tasks change here no more.
    pub(super) fn depart(&mut self) {
        if !std::mem::replace(&mut self.has_departed, true) {
            self.manager
                .depart(self.machine.ledger().statuses().map(|(task, _)| task));
        }
    }

    /// Answers the callers that wait until the agent is parked, if it is.
    pub(super) fn tell_parkers(&mut self) {
        if self.parkers.is_empty() {
            self.stirs = None;
            return;
        }
        if self.is_over() {
            // The status says why there is no answer.
            return self.parkers.clear();
        }
        // Subscribed before the look, so that no change after it is missed.
        let stirs = self.stirs.get_or_insert_with(|| self.manager.stirs());
        stirs.borrow_and_update();
        let Some(waits) = self.waits() else { return };
        let parked = Parked { waits };
        for parker in self.parkers.drain(..) {
            let _the_caller_is_gone = parker.send(parked.clone());
        }
    }

    /// Waits for the outside, if nothing else is left.
    fn waits(&self) -> Option<Vec<ParkedTask>> {
        if !self.inputs.is_empty() {
            return None;
        }
        let mut waits = Vec::new();
        for (number, task, is_written) in self.machine.submitted()? {
            for rest in self.manager.rests_of(task)? {
                // A wait that is not in the journal yet would be lost with the process.
                if rest.task == task && !is_written && !self.is_passed_on(number, &rest) {
                    return None;
                }
                waits.push(ParkedTask {
                    number,
                    task: rest.task,
                    request: rest.request,
                    until: rest.until,
                });
            }
        }
        Some(waits)
    }

    /// True for consent that a running function asks for on behalf of an agent on another manager. It is in that agent's
    /// session.
    fn is_passed_on(&self, number: TaskNo, rest: &Rest) -> bool {
        let is_running = self.machine.has_begun(number);
        is_running && matches!(rest.request, Some(InputRequest::Approval { .. }))
    }

    /// Tells the call that this agent works for if the agent is at work.
    pub(super) fn tell_caller(&self) {
        if let Some(caller) = &self.bounds.owner {
            let is_busy = !self.is_over() && (!self.inputs.is_empty() || self.machine.submitted().is_none());
            self.manager.set_busy(caller, is_busy);
        }
    }
}
