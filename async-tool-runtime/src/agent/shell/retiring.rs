//! End of an agent that its host did not ask for: its last handle was dropped, its runtime is shut down, or it panicked.
//!
//! A process that ends by an error, a panic or a signal drops its handles and its runtime in any order. Other threads
//! still poll meanwhile. So none of this may write an end to a durable session.

use std::{sync::Arc, time::Duration};

use tokio::{task::coop::consume_budget, time::sleep};

use super::{Shell, Woken};
use crate::{
    agent::{AgentEvent, AgentEventKind, AgentState, CloseMode, machine::AgentInput, remembered},
    manager::{Resident, TaskHandle},
    task::AsyncTaskResult,
    unwind,
};

/// Time after which a runtime that is being shut down polls nothing any more.
const SHUTDOWN: Duration = Duration::from_millis(10);

impl Shell {
    /// Ends the agent after its last handle was dropped: it leaves a session that can go on, and closes any other.
    pub(super) async fn retire(&mut self) {
        self.is_retiring = true;
        if !self.is_over() && self.is_to_be_closed().await {
            self.step(AgentInput::Close(CloseMode::Cancel)).await;
            while !self.is_over() {
                consume_budget().await;
                match self.happens().await {
                    Woken::Input(input) => self.step(input).await,
                    Woken::CutShort(result) => self.step_if_running(result).await,
                    Woken::Asked(reply) => self.prove(reply).await,
                    Woken::Robbed => self.give_way(),
                    Woken::Command(_) | Woken::Stirred => {}
                }
            }
        }
        // Does nothing for a closed session.
        let _not_given_up = self.leave().await;
    }

    async fn is_to_be_closed(&mut self) -> bool {
        if !self.journal.is_durable() {
            return true;
        }
        if self.machine.state() == AgentState::Closing && self.machine.ledger().draining().is_none() {
            // The host has closed it, and then dropped the handle.
            return true;
        }
        let Some(call) = self.bounds.call().cloned() else {
            return false;
        };
        // The call's function was dropped: by a timeout, or with the runtime. Then the call goes on in the next process.
        sleep(SHUTDOWN).await;
        !call.is_abandoned() && !call.is_left()
    }

    /// Handles the end of a task whose runtime was shut down. It is usually the runtime of this agent, too.
    pub(super) async fn step_if_running(&mut self, result: Arc<AsyncTaskResult>) {
        sleep(SHUTDOWN).await;
        self.step(AgentInput::Settled(result)).await;
    }

    /// Stops the session for a reason that is not its journal's: no more decisions, and no work without a record.
    pub(super) fn stop_for(&mut self, reason: String) {
        if self.stopped.is_none() {
            tracing::warn!(target: "async_tool::agent", reason = "a part of the agent panicked", session = %self.session, "session stopped");
            self.halted = self.halt("the session has stopped");
            // This agent runs no more, so another one of this process may go on with the session.
            self.claim.lose();
            self.depart();
            self.emit(AgentEvent::new(
                self.manager.now(),
                AgentEventKind::Stopped { reason: reason.clone() },
            ));
            self.stopped = Some(reason);
        }
        self.show_status();
    }

    /// Stops the turn, the timers and the tasks, without an end in the journal: an agent that takes the session up goes
    /// on with them. Returns the tasks that stop.
    ///
    /// Agents below leave their sessions, so that their calls can go on too. Tasks that outlive the process go on.
    pub(in crate::agent) fn halt(&mut self, reason: &str) -> Vec<TaskHandle> {
        self.turn = None;
        self.timers.clear();
        if self.manager.keeps_tasks() {
            return Vec::new();
        }
        let tasks = self.open_tasks().into_iter().filter_map(|task| self.manager.task(task));
        let tasks: Vec<TaskHandle> = tasks.collect();
        for task in &tasks {
            task.cell().abandon();
            if !remembered::leave(task) {
                task.cancel(reason);
            }
        }
        tasks
    }
}

impl Drop for Shell {
    /// Also runs when the runtime shuts down in the middle of the session: handles in other runtimes learn that the agent
    /// is gone, and the manager that the results have no reader.
    fn drop(&mut self) {
        self.news.close();
        let is_over = self.is_over();
        // True if it could not be opened, which its caller was told.
        let had_departed = self.has_departed;
        // First of all, so that no function begins that the next agent of the session could find not begun. A stopped
        // session has told its tasks before, and another agent may have them now.
        if !is_over {
            let halted = unwind::call(super::PART, || drop(self.halt("the session's agent is gone")));
            if let Err(panic) = halted {
                tracing::error!(target: "async_tool::agent", session = %self.session, "{} panicked when it was dropped", panic.part());
            }
        }
        self.manager.unroute(&self.session);
        if let Some(member) = self.member.take() {
            self.manager.expel(&(member as Arc<dyn Resident>));
        }
        self.depart();
        if is_over {
            return;
        }
        let reason = "the runtime of its agent was shut down".to_owned();
        if !had_departed {
            tracing::warn!(target: "async_tool::agent", reason, session = %self.session, "session stopped");
        }
        self.emit(AgentEvent::new(
            self.manager.now(),
            AgentEventKind::Stopped { reason: reason.clone() },
        ));
        self.stopped = Some(reason);
        self.publish_status();
    }
}
