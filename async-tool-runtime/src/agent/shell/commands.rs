//! Commands of the host: the shell passes them on, and answers the caller.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    agent::{
        AgentError, AgentEvent, AgentEventStream, AgentQuestion, AgentState, AgentTask, EventId, Interruption,
        RunSummary,
        command::{Command, GroupRequest, Questions, Said},
        machine::AgentInput,
        past::Past,
    },
    content::Content,
    context::Message,
    id::{TaskId, TaskNo},
    manager::Asking,
    task::TaskStatus,
    tool::InputRequest,
};

use super::Shell;

impl Shell {
    pub(super) async fn obey(&mut self, command: Command) {
        // A reply fails if the caller has dropped its future; the command counts all the same.
        match command {
            Command::Send(said, reply) => {
                let _ = reply.send(self.say(said, AgentInput::User).await);
            }
            Command::SendAs(said, policy, reply) => {
                let input = |content| AgentInput::UserAs(content, policy);
                let _ = reply.send(self.say(said, input).await);
            }
            Command::Interrupt(tasks, reply) => {
                let _ = reply.send(self.interrupt(tasks).await);
            }
            Command::Batch(said, reply) => {
                let _ = reply.send(self.say(said, AgentInput::Batch).await);
            }
            Command::Cancel(task, reason, reply) => {
                let _ = reply.send(self.say_of(task, AgentInput::Cancel(task, reason)).await);
            }
            Command::SetDelivery(task, policy, reply) => {
                let _ = reply.send(self.say_of(task, AgentInput::SetDelivery(task, policy)).await.map(drop));
            }
            Command::Promote(task, reply) => {
                let _ = reply.send(self.say_of(task, AgentInput::Promote(task)).await);
            }
            Command::Group(group, reply) => {
                let unknown = group.tasks.iter().find(|task| self.machine.status(**task).is_none());
                let answer = match unknown {
                    Some(task) => self.is_alive().and(Err(AgentError::UnknownTask(*task))),
                    None => {
                        let GroupRequest {
                            name,
                            tasks,
                            join,
                            limit,
                        } = *group;
                        let input = AgentInput::Group {
                            name,
                            tasks,
                            join,
                            limit,
                        };
                        self.tell(input).await
                    }
                };
                let _ = reply.send(answer);
            }
            Command::Summary(reply) => {
                let _ = reply.send(self.summary());
            }
            Command::Questions(reply) => {
                let _ = reply.send(self.questions());
            }
            Command::Tasks(reply) => {
                let tasks = self
                    .machine
                    .ledger()
                    .tasks()
                    .iter()
                    .filter(|(_, record)| record.is_task());
                let tasks = tasks.map(|(number, record)| {
                    let status = self.status_of(*number, record.task);
                    let snapshot = self.manager.task(record.task).map(|task| task.snapshot());
                    let known = snapshot.as_ref().map(|snapshot| snapshot.waits_for.clone());
                    let waits_for = known.unwrap_or_else(|| self.machine.waits_for(*number));
                    let progress = snapshot.and_then(|snapshot| snapshot.progress);
                    let (request, asking) = self.asked_by(*number, status).unzip();
                    AgentTask {
                        number: *number,
                        task: record.task,
                        call: record.call.clone(),
                        status,
                        accepted: record.accepted,
                        delivery: self.machine.delivery_of(*number),
                        request,
                        asking,
                        waits_for,
                        progress,
                    }
                });
                let _ = reply.send(tasks.collect());
            }
            Command::Transcript(reply) => {
                let transcript = self.machine.ledger().transcript().clone();
                // A session whose append failed has decided more than its journal knows.
                let _ = reply.send(transcript.known_at(self.seq));
            }
            Command::EventsAfter(after, reply) => {
                let _ = reply.send(self.events_after(after));
            }
            Command::Close(mode, reply) => {
                self.closers.push(reply);
                self.step(AgentInput::Close(mode)).await;
            }
            Command::Leave(reply) => {
                let _ = reply.send(self.leave().await);
            }
            Command::LeaveIfIdle(idle, reply) => {
                let _ = reply.send(self.leave_if_idle(idle).await);
            }
            Command::Parked(reply) => {
                self.parkers.push(reply);
                self.tell_parkers();
            }
        }
    }

    /// Events behind a place of the journal. No step runs meanwhile, so the live events begin where the journal ends.
    fn events_after(&self, after: EventId) -> AgentEventStream {
        let (session, journal) = (self.session.clone(), Arc::clone(&self.journal));
        let numbers = self.machine.ledger().numbers().clone();
        let past = Past::new(session, journal, numbers, after, self.seq);
        let turn = self.machine.turn_so_far().filter(|_| self.stopped.is_none());
        let turn = turn.map(|kind| AgentEvent::new(self.manager.now(), kind));
        self.events.subscribe().after(past, turn)
    }

    /// Passes on a user message.
    async fn say(
        &mut self,
        Said(content, traceparent): Said,
        input: impl FnOnce(Content) -> AgentInput,
    ) -> Result<(), AgentError> {
        if self.machine.state() == AgentState::Closing {
            return self.not_stopped().and(Err(AgentError::Closed));
        }
        self.is_alive()?;
        // Checked before the journal has the message: a provider would refuse the conversation for ever.
        let rules = self.model.capabilities().media;
        content.check(&rules).map_err(AgentError::Content)?;
        if let Some(traceparent) = traceparent {
            let _nothing_to_do = self.decide(AgentInput::Traced(traceparent));
        }
        self.tell(input(content.unkept())).await
    }

    /// Passes on a command about a task, and returns the task's status before it.
    async fn say_of(&mut self, task: TaskNo, input: AgentInput) -> Result<TaskStatus, AgentError> {
        let record = self
            .machine
            .ledger()
            .tasks()
            .get(&task)
            .filter(|record| record.is_task());
        let status = record.map(|record| self.status_of(task, record.task));
        let status = self.is_alive().and(status.ok_or(AgentError::UnknownTask(task)))?;
        self.tell(input).await?;
        Ok(status)
    }

    async fn tell(&mut self, input: AgentInput) -> Result<(), AgentError> {
        self.is_alive()?;
        self.step(input).await;
        self.not_stopped()
    }

    /// Ends the turn, with the tasks of its answer if `tasks`.
    async fn interrupt(&mut self, tasks: bool) -> Result<Interruption, AgentError> {
        self.is_alive()?;
        let turn = self.machine.interruptible();
        let before = self.told_to_stop();
        self.tell(AgentInput::Interrupt { tasks }).await?;
        let mut cancelled = self.told_to_stop();
        cancelled.retain(|number| tasks && !before.contains(number));
        Ok(Interruption {
            turn,
            cancelled: cancelled.into_iter().collect(),
        })
    }

    /// Tasks that have ever been told to stop.
    fn told_to_stop(&self) -> BTreeSet<TaskNo> {
        let tasks = self.machine.ledger().tasks().iter();
        let told = tasks.filter(|(_, record)| record.cancel.is_some());
        told.map(|(number, _)| *number).collect()
    }

    /// Open questions of the session's tasks, as the manager has them.
    fn questions(&self) -> Questions {
        let mut questions = Questions {
            asked: Vec::new(),
            is_partial: false,
        };
        if self.is_over() {
            return questions;
        }
        for number in self.machine.ledger().open_tasks() {
            let Some(record) = self.machine.ledger().tasks().get(&number) else {
                continue;
            };
            let asked = self.manager.questions_of(record.task).unwrap_or_default();
            questions.is_partial |= asked.is_empty() && self.machine.is_to_ask(number);
            for Asking {
                path,
                asking,
                request,
                since,
                is_gone,
            } in asked
            {
                // Two calls may share the run of the task that asks.
                if questions.asked.iter().any(|known| known.asking == asking) {
                    continue;
                }
                questions.asked.push(AgentQuestion {
                    number,
                    asking,
                    tool: Arc::clone(&path[path.len() - 1].tool),
                    path,
                    request,
                    since,
                    is_gone,
                });
            }
        }
        questions
    }

    /// Question of a task with this status, and the task that asks it.
    fn asked_by(&self, number: TaskNo, status: TaskStatus) -> Option<(InputRequest, TaskId)> {
        if status != TaskStatus::InputRequired {
            return None;
        }
        let record = self.machine.ledger().tasks().get(&number)?;
        let asked = self.manager.questions_of(record.task).unwrap_or_default();
        match asked.into_iter().next() {
            Some(asking) => Some((asking.request, asking.asking)),
            None => Some((self.machine.question(number)?.request, record.task)),
        }
    }

    fn summary(&self) -> RunSummary {
        let ledger = self.machine.ledger();
        let messages = ledger.transcript().messages().iter().rev();
        let text = messages
            .take_while(|message| !matches!(&***message, Message::User { .. }))
            .find_map(|message| match &**message {
                Message::Assistant { text, .. } if !text.is_empty() => Some(text.clone()),
                _ => None,
            });
        RunSummary {
            text: text.unwrap_or_default(),
            totals: *ledger.run(),
            is_empty: ledger.has_ended_empty(),
            is_interrupted: ledger.is_halted(),
        }
    }

    /// Status of a task, as the manager says. The session hears of a change later, and its journal alone knows the end of
    /// a task that the manager has forgotten.
    fn status_of(&self, number: TaskNo, task: TaskId) -> TaskStatus {
        let known = self.machine.status(number).unwrap_or(TaskStatus::Queued);
        if known.is_terminal() {
            return known;
        }
        self.manager.task(task).map_or(known, |task| task.status())
    }

    /// True if the session still takes input. A draining session takes no messages, but the host may still control its
    /// tasks.
    fn is_alive(&self) -> Result<(), AgentError> {
        self.not_stopped()?;
        let ledger = self.machine.ledger();
        match self.machine.state() {
            AgentState::Closed => Err(AgentError::Closed),
            AgentState::Closing if ledger.draining().is_none() => Err(AgentError::Closed),
            _ => Ok(()),
        }
    }

    pub(super) fn not_stopped(&self) -> Result<(), AgentError> {
        self.stopped
            .clone()
            .map_or(Ok(()), |reason| Err(AgentError::Stopped(reason)))
    }
}
