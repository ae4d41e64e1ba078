//! The one thread that writes.
//!
//! # Invariants
//!
//! 1. All appends that wait, and all notes, are one transaction, so that they share one `fsync`. They are answered after the commit, never before.
//! 2. An append that the fence refuses adds nothing to the transaction, so it harms none of the others. If a transaction fails, each of its appends is tried
//!    again in one of its own, so that one that can't be written takes no other along.
//! 3. Appends are written in the order in which they came, also those nobody waits for any more.
//! 4. When the last handle is gone the thread writes what has come by then, gives up what its owner holds, and ends.

use std::{
    io,
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use async_tool_runtime::journal::Seq;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::{
    StoreError,
    append::{Append, Outcome, Writing},
    clock::Clock,
    memory::Change,
    owner::Owner,
    snapshot::Keep,
    worker::Worker,
};

/// A group ends here also if more waits: it is memory, and time that the first of it waits.
const MOST: usize = 4096;
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// What the thread is asked to do.
pub(crate) enum Command {
    Append(Append),
    Keep(Keep),
    Change(Change),
    /// Anything else, in a transaction of its own.
    Run(Box<dyn FnOnce(&mut Connection) + Send>),
}

/// What goes into a group.
enum Item {
    Append(Append),
    Keep(Keep),
    Change(Change),
}

/// What the thread works with.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) owner: Owner,
    pub(crate) journal: PathBuf,
    pub(crate) clock: Clock,
    pub(crate) is_chaining: bool,
    /// A third of the lease.
    pub(crate) renew_every: Duration,
}

impl Writer {
    /// Starts the thread. It ends when the worker is dropped.
    pub(crate) fn start(self) -> io::Result<Worker<Command>> {
        Worker::start("async-tool-sqlite-write", move |commands| self.run(&commands))
    }

    fn run(mut self, commands: &Receiver<Command>) {
        let mut renewed = Instant::now();
        loop {
            let wait = self.renew_every.saturating_sub(renewed.elapsed());
            let mut next = match commands.recv_timeout(wait) {
                Ok(command) => Some(command),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            // What can't be in the group comes right after it.
            while let Some(command) = next.take() {
                next = match command {
                    Command::Append(append) => self.write_group(Item::Append(append), commands),
                    Command::Keep(keep) => self.write_group(Item::Keep(keep), commands),
                    Command::Change(change) => self.write_group(Item::Change(change), commands),
                    Command::Run(task) => {
                        task(&mut self.connection);
                        None
                    }
                };
            }
            if renewed.elapsed() >= self.renew_every {
                // One that fails is made up for by the next; others see that the process lives.
                let _ = self.owner.renew(&self.connection, self.clock.now());
                renewed = Instant::now();
            }
        }
        // One that is not given up is found to be dead.
        let _ = self.owner.leave(&self.connection);
    }

    /// Writes this and all that waits. Gives the command that ended the group.
    fn write_group(&mut self, first: Item, commands: &Receiver<Command>) -> Option<Command> {
        let mut intake = Intake { commands, next: None };
        let (mut group, mut results) = (vec![first], Vec::new());
        let written = self.attempt(&mut group, &mut results, &mut || intake.take());
        match written {
            Ok(()) => {
                for (item, outcome) in group.into_iter().zip(results) {
                    item.answer(Ok(outcome));
                }
            }
            // The lock that wasn't to be had would not be had again and again.
            Err(error) if is_busy(&error) => group.into_iter().for_each(|item| item.answer(Err(StoreError::Busy))),
            Err(_) => self.write_singly(group),
        }
        intake.next
    }

    fn write_singly(&mut self, group: Vec<Item>) {
        for item in group {
            let (mut alone, mut results) = (vec![item], Vec::new());
            let written = self.attempt(&mut alone, &mut results, &mut || None);
            let result = written.map_err(StoreError::from);
            if let Some(item) = alone.pop() {
                item.answer(result.and_then(|()| results.pop().ok_or(StoreError::Stopped)));
            }
        }
    }

    /// One transaction. What comes while it is being written goes along.
    fn attempt(
        &mut self,
        group: &mut Vec<Item>,
        results: &mut Vec<Outcome>,
        more: &mut dyn FnMut() -> Option<Item>,
    ) -> rusqlite::Result<()> {
        let writing = Writing {
            owner: &self.owner,
            journal: &self.journal,
            now: self.clock.now(),
            is_chaining: self.is_chaining,
        };
        let transaction = match self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
        {
            Ok(transaction) => transaction,
            Err(error) => {
                group.extend(std::iter::from_fn(more));
                return Err(error);
            }
        };
        let mut bytes = 0;
        while let Some(item) = group.get_mut(results.len()) {
            bytes += item.weight();
            results.push(item.write(&transaction, writing)?);
            if results.len() == group.len() && group.len() < MOST && bytes < MOST_BYTES {
                group.extend(more());
            }
        }
        transaction.commit()
    }
}

/// What comes for a group.
struct Intake<'a> {
    commands: &'a Receiver<Command>,
    /// What can't be in a group. Nothing is taken behind it.
    next: Option<Command>,
}

impl Intake<'_> {
    /// What waits already. Nobody is waited for: those who were answered last come again while the next group is being written, and are the group after it. That they
    /// be one group was tried, with a pause as that of `commit_delay` in PostgreSQL; but then nothing is decided while the disk works, and it was slower.
    fn take(&mut self) -> Option<Item> {
        if self.next.is_some() {
            return None;
        }
        match self.commands.try_recv().ok()? {
            Command::Append(append) => Some(Item::Append(append)),
            Command::Keep(keep) => Some(Item::Keep(keep)),
            Command::Change(change) => Some(Item::Change(change)),
            other @ Command::Run(_) => {
                self.next = Some(other);
                None
            }
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

impl Item {
    fn weight(&self) -> usize {
        match self {
            Self::Append(append) => append.weight(),
            Self::Keep(keep) => keep.weight(),
            Self::Change(change) => change.weight(),
        }
    }

    fn write(&mut self, transaction: &Connection, writing: Writing<'_>) -> rusqlite::Result<Outcome> {
        match self {
            Self::Append(append) => append.write(transaction, writing),
            Self::Keep(keep) => keep.write(transaction, writing),
            // It has no fence, and keeps its outcome itself.
            Self::Change(change) => change.write(transaction, writing.now).map(|()| Ok(Seq::START)),
        }
    }

    fn answer(self, result: Result<Outcome, StoreError>) {
        match self {
            Self::Append(append) => append.answer(result),
            Self::Keep(keep) => keep.answer(result),
            Self::Change(change) => change.answer(result.map(|_| ())),
        }
    }
}
