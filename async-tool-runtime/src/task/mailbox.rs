//! What the host says to a task while it runs.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// How many messages a task keeps that its function hasn't read.
pub(super) const CAPACITY: usize = 64;

/// The messages of a task that its function hasn't read. Made when the first one comes, or the function looks for one.
#[derive(Default)]
pub(crate) struct Mailbox {
    messages: Mutex<VecDeque<String>>,
    /// Told when a message comes, and when none will come any more.
    changed: Notify,
}

impl Mailbox {
    /// Keeps a message; [`tell`](Self::tell) then wakes whoever waits for it.
    pub(super) fn put(&self, message: String) -> Result<(), SendError> {
        let mut messages = self.messages();
        if messages.len() >= CAPACITY {
            return Err(SendError::Full);
        }
        messages.push_back(message);
        Ok(())
    }

    /// Takes over what another mailbox had accepted, also where that is more than would be accepted here.
    pub(super) fn inherit(&self, other: &Self) {
        let accepted = std::mem::take(&mut *other.messages());
        self.messages().extend(accepted);
        self.tell();
    }

    /// Wakes those who wait.
    pub(super) fn tell(&self) {
        self.changed.notify_waiters();
    }

    pub(crate) fn take(&self) -> Option<String> {
        self.messages().pop_front()
    }

    pub(crate) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    fn messages(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message was not accepted.
///
/// There is no error for a tool that doesn't read its messages: whether one does is known only when it asks. What it never reads is
/// dropped when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The manager knows no such task.
    NotFound,
    /// The function has ended: the task is settled, or waits to be completed [from outside](crate::ToolContext::defer).
    Ended,
    /// 64 messages wait that the tool hasn't read.
    Full,
    /// The task runs on a [`Backend`](crate::Backend), where no message reaches it.
    Unsupported,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "there is no such task; ask the manager that runs it, before it forgets it",
            Self::Ended => "the task reads no messages any more: its function has ended",
            Self::Full => "the task has 64 messages that it hasn't read; send more when it has read some",
            Self::Unsupported => "the task runs on a backend, where no message reaches it",
        })
    }
}

impl std::error::Error for SendError {}
