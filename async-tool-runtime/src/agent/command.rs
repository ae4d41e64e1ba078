//! Commands of a handle to the shell.

use std::{sync::Arc, time::Duration};

use tokio::sync::oneshot;

use super::{
    AgentError, AgentEventStream, AgentQuestion, AgentTask, CloseMode, EventId, Interruption, MessagePolicy, Parked,
    RunSummary, idleness::Idleness,
};
use crate::{
    content::Content, context::Transcript, id::TaskNo, journal::JoinPolicy, task::TaskStatus, tool::DeliveryPolicy,
};

/// Command of the host to the shell.
#[derive(Debug)]
// Kept small: the channel of every session allocates room for dozens of commands at once.
pub(super) enum Command {
    Send(Said, oneshot::Sender<Result<(), AgentError>>),
    SendAs(Said, MessagePolicy, oneshot::Sender<Result<(), AgentError>>),
    /// True: with the tasks.
    Interrupt(bool, oneshot::Sender<Result<Interruption, AgentError>>),
    Batch(Said, oneshot::Sender<Result<(), AgentError>>),
    Promote(TaskNo, oneshot::Sender<Result<TaskStatus, AgentError>>),
    Group(Box<GroupRequest>, oneshot::Sender<Result<(), AgentError>>),
    Summary(oneshot::Sender<RunSummary>),
    Cancel(TaskNo, String, oneshot::Sender<Result<TaskStatus, AgentError>>),
    SetDelivery(TaskNo, DeliveryPolicy, oneshot::Sender<Result<(), AgentError>>),
    Questions(oneshot::Sender<Questions>),
    Tasks(oneshot::Sender<Vec<AgentTask>>),
    Transcript(oneshot::Sender<Transcript>),
    EventsAfter(EventId, oneshot::Sender<AgentEventStream>),
    Close(CloseMode, oneshot::Sender<Result<(), AgentError>>),
    Leave(oneshot::Sender<Result<(), AgentError>>),
    Parked(oneshot::Sender<Parked>),
    LeaveIfIdle(Duration, oneshot::Sender<Idleness>),
}

/// Message of the user, with the `traceparent` of its span.
#[derive(Debug)]
pub(super) struct Said(pub(super) Content, pub(super) Option<Arc<str>>);

/// Open questions of a session.
#[derive(Debug)]
pub(super) struct Questions {
    pub(super) asked: Vec<AgentQuestion>,
    /// True if a task of an earlier process has not asked its question again yet.
    pub(super) is_partial: bool,
}

/// Tasks that the host joins to a group.
#[derive(Debug)]
pub(super) struct GroupRequest {
    pub(super) name: Arc<str>,
    pub(super) tasks: Vec<TaskNo>,
    pub(super) join: JoinPolicy,
    pub(super) limit: Option<Duration>,
}
