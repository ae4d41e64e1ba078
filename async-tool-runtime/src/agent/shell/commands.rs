//! Commands of the host: the shell passes them on, and answers the caller.

use crate::{
    agent::{
        AgentError, AgentState, AgentTask, RunSummary,
        command::{Command, GroupRequest},
        machine::AgentInput,
    },
    context::Message,
    id::{TaskId, TaskNo},
    task::TaskStatus,
};

use super::Shell;

impl Shell {
    pub(super) async fn obey(&mut self, command: Command) {
        // A reply fails if the caller has dropped its future; the command counts all the same.
        match command {
            Command::Send(text, reply) => {
                let _ = reply.send(self.say(AgentInput::User(text)).await);
            }
            Command::Batch(text, reply) => {
                let _ = reply.send(self.say(AgentInput::Batch(text)).await);
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
            Command::Tasks(reply) => {
                let tasks = self.machine.ledger().tasks().iter().filter(|(_, record)| !record.own);
                let tasks = tasks.map(|(number, record)| AgentTask {
                    number: *number,
                    task: record.task,
                    call: record.call.clone(),
                    status: self.status_of(*number, record.task),
                    accepted: record.accepted,
                    delivery: self.machine.delivery_of(*number),
                    progress: self.manager.task(record.task).and_then(|task| task.snapshot().progress),
                });
                let _ = reply.send(tasks.collect());
            }
            Command::Transcript(reply) => {
                let _ = reply.send(self.machine.ledger().transcript().messages().to_vec());
            }
            Command::Close(mode, reply) => {
                self.closers.push(reply);
                self.step(AgentInput::Close(mode)).await;
            }
            Command::Leave(reply) => {
                let _ = reply.send(self.leave().await);
            }
            Command::Parked(reply) => {
                self.parkers.push(reply);
                self.tell_parkers();
            }
        }
    }

    /// Passes on a user message.
    async fn say(&mut self, input: AgentInput) -> Result<(), AgentError> {
        match self.machine.state() {
            AgentState::Closing => self.not_stopped().and(Err(AgentError::Closed)),
            _ => self.tell(input).await,
        }
    }

    /// Passes on a command about a task, and returns the task's status before it.
    async fn say_of(&mut self, task: TaskNo, input: AgentInput) -> Result<TaskStatus, AgentError> {
        let record = self.machine.ledger().tasks().get(&task).filter(|record| !record.own);
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
