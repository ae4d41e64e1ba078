//! The writer thread.
//!
//! # Invariants
//!
//! 1. All waiting appends, releases and notes are one transaction, so that they share one `fsync`. They are answered after the
//!    commit, never before.
//! 2. An append that the fence refuses adds nothing to the transaction, so the rest is unaffected. If a transaction
//!    fails, each of its items is retried in its own transaction, so that one bad item doesn't fail the rest. After the commit,
//!    nothing is retried.
//! 3. Appends are written in order of arrival, even if the caller is gone.
//! 4. Between two groups, the thread shows that its owner lives, and looks at the owners that are watched.
//! 5. When the last handle is gone, the thread writes everything received so far, gives up its owner's sessions, and
//!    ends.

use std::{
    cell::RefCell,
    io,
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use async_tool_runtime::journal::{Asked, Seq};
use rusqlite::{Connection, TransactionBehavior, params};

use crate::{
    StoreError,
    append::{Append, Outcome, Writing, is_owned},
    clock::Clock,
    holder::holder,
    identity::Identity,
    memory::Change,
    owner::Owner,
    release::Release,
    snapshot::Keep,
    tenants::Tenants,
    unsynced,
    watch::Watches,
    worker::Worker,
};

/// Limits of a group, which bound its memory and the wait of its first item.
const MOST: usize = 4096;
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// A command for the thread.
pub(crate) enum Command {
    Append(Append),
    Keep(Keep),
    Change(Change),
    Release(Release),
    /// Any other work, in a transaction of its own.
    Run(Box<dyn FnOnce(Result<&mut Connection, StoreError>) + Send>),
}

/// An item of a group.
enum Item {
    Append(Append),
    Keep(Keep),
    Change(Change),
    Release(Release),
}

/// State of the thread.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) owner: Owner,
    pub(crate) identity: Identity,
    pub(crate) journal: PathBuf,
    pub(crate) clock: Clock,
    pub(crate) is_chaining: bool,
    pub(crate) lease: Duration,
    pub(crate) tenants: RefCell<Tenants>,
    pub(crate) watches: RefCell<Watches>,
}

impl Writer {
    /// Starts the thread. It ends when the worker is dropped.
    pub(crate) fn start(self) -> io::Result<Worker<Command>> {
        Worker::start("async-tool-sqlite-write", move |commands| self.run(&commands))
    }

    fn run(mut self, commands: &Receiver<Command>) {
        let mut renewed = Instant::now();
        loop {
            let renewal = self.renew_every().saturating_sub(renewed.elapsed());
            let look = self.watches.borrow().next_look(self.clock.ticks());
            let wait = look.map_or(renewal, |look| renewal.min(look));
            let mut next = match commands.recv_timeout(wait) {
                Ok(command) => Some(command),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            // A command that can't join the group runs directly after it.
            while let Some(command) = next.take() {
                next = match command {
                    Command::Append(append) => self.write_group(Item::Append(append), commands),
                    Command::Keep(keep) => self.write_group(Item::Keep(keep), commands),
                    Command::Change(change) => self.write_group(Item::Change(change), commands),
                    Command::Release(release) => self.write_group(Item::Release(release), commands),
                    Command::Run(task) => {
                        let is_there = self.identity.check(&self.connection);
                        task(is_there.map(|()| &mut self.connection));
                        None
                    }
                };
            }
            if renewed.elapsed() >= self.renew_every() {
                // The next renewal makes up for a failed one; the lock still shows that the process lives. A file that is
                // gone has nothing to own.
                if self.identity.check(&self.connection).is_ok() {
                    let _ = self.renew();
                }
                renewed = Instant::now();
            }
            let ticks = self.clock.ticks();
            let mut watches = self.watches.borrow_mut();
            if watches.next_look(ticks).is_some_and(|look| look.is_zero()) {
                watches.look(&self.connection, ticks);
            }
        }
        // If one fails, the next opening reports it or finds this owner dead.
        let _ = unsynced::leave(&self.connection, self.owner.number);
        let _ = self.owner.leave(&self.connection);
    }

    /// Interval of the signs of life. Shorter than a third of the lease, for which a confirmation of a claim counts.
    fn renew_every(&self) -> Duration {
        self.lease / 4
    }

    /// Shows that this owner lives, and tells the claims of its sessions if they still have them.
    fn renew(&self) -> rusqlite::Result<()> {
        let asked = Asked::now();
        self.owner.renew(&self.connection, self.clock.now())?;
        let (living, dropped) = self.tenants.borrow().all();
        for (session, claim) in living {
            if is_owned(&self.connection, &session, &self.owner)? {
                claim.confirm(asked, self.lease);
            } else {
                self.tenants.borrow_mut().evict(&session);
            }
        }
        for session in dropped {
            // Its agent has ended without giving it up, such as with its runtime.
            self.connection
                .prepare_cached("UPDATE sessions SET owner = NULL WHERE name = ?1 AND owner = ?2")?
                .execute(params![session.as_str(), self.owner.number])?;
            self.tenants.borrow_mut().remove(&session);
        }
        self.tenants.borrow_mut().commit();
        Ok(())
    }

    /// Writes this item and all waiting ones. Returns the command that ended the group.
    fn write_group(&mut self, first: Item, commands: &Receiver<Command>) -> Option<Command> {
        let mut intake = Intake { commands, next: None };
        let (mut group, mut results) = (vec![first], Vec::new());
        let asked = Asked::now();
        let written = self.attempt(&mut group, &mut results, &mut || intake.take());
        let confirmation = (asked, self.lease);
        match written {
            Ok(Ok(())) => {
                for (item, outcome) in group.into_iter().zip(results) {
                    item.answer(Ok(outcome), confirmation);
                }
            }
            // After the commit, a retry would write the items twice.
            Ok(Err(error)) | Err(error @ StoreError::Gone { .. }) => {
                let refuse = |item: Item| item.answer(Err(again(&error)), confirmation);
                group.into_iter().for_each(refuse);
            }
            // Retrying each item alone would only wait for the same lock again and again.
            Err(StoreError::Busy { .. }) => {
                let process = holder(&self.journal);
                let busy = || Err(StoreError::Busy { process });
                group.into_iter().for_each(|item| item.answer(busy(), confirmation));
            }
            Err(_) => self.write_singly(group),
        }
        intake.next
    }

    fn write_singly(&mut self, group: Vec<Item>) {
        for item in group {
            let (mut alone, mut results) = (vec![item], Vec::new());
            let asked = Asked::now();
            let written = self.attempt(&mut alone, &mut results, &mut || None);
            if let Some(item) = alone.pop() {
                let result = written
                    .flatten()
                    .and_then(|()| results.pop().ok_or(StoreError::Stopped));
                item.answer(result, (asked, self.lease));
            }
        }
    }

    /// Writes the group in one transaction. Items that arrive meanwhile join it. An inner error came after the commit.
    fn attempt(
        &mut self,
        group: &mut Vec<Item>,
        results: &mut Vec<Outcome>,
        more: &mut dyn FnMut() -> Option<Item>,
    ) -> Result<Result<(), StoreError>, StoreError> {
        let written = self.transact(group, results, more);
        let mut tenants = self.tenants.borrow_mut();
        match written {
            Ok(_) => tenants.commit(),
            Err(_) => tenants.roll_back(),
        }
        written
    }

    fn transact(
        &mut self,
        group: &mut Vec<Item>,
        results: &mut Vec<Outcome>,
        more: &mut dyn FnMut() -> Option<Item>,
    ) -> Result<Result<(), StoreError>, StoreError> {
        // Before the write, because a file that was cut off would look whole after it.
        if let Err(error) = self.identity.check(&self.connection) {
            group.extend(std::iter::from_fn(more));
            return Err(error);
        }
        let writing = Writing {
            owner: &self.owner,
            tenants: &self.tenants,
            watches: &self.watches,
            journal: &self.journal,
            now: self.clock.now(),
            ticks: self.clock.ticks(),
            is_chaining: self.is_chaining,
        };
        let transaction = match self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
        {
            Ok(transaction) => transaction,
            Err(error) => {
                group.extend(std::iter::from_fn(more));
                return Err(error.into());
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
        transaction.commit()?;
        // After it, because nothing may be acknowledged that no file holds.
        Ok(self.identity.check(&self.connection))
    }
}

/// The same failure, for another item of the group.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Gone { path } => StoreError::Gone { path: path.clone() },
        error => StoreError::other(error.to_string()),
    }
}

/// Source of further items for a group.
struct Intake<'a> {
    commands: &'a Receiver<Command>,
    /// The command that can't join the group. No item behind it is taken.
    next: Option<Command>,
}

impl Intake<'_> {
    /// Takes the next waiting item, without waiting for more. Callers that were just answered send again during the
    /// next group's write, and form the group after it. A pause to merge these groups, as PostgreSQL's `commit_delay`
    /// makes, was tried. It was slower, because then no work is done during the disk write.
    fn take(&mut self) -> Option<Item> {
        if self.next.is_some() {
            return None;
        }
        match self.commands.try_recv().ok()? {
            Command::Append(append) => Some(Item::Append(append)),
            Command::Keep(keep) => Some(Item::Keep(keep)),
            Command::Change(change) => Some(Item::Change(change)),
            Command::Release(release) => Some(Item::Release(release)),
            other @ Command::Run(_) => {
                self.next = Some(other);
                None
            }
        }
    }
}

impl Item {
    fn weight(&self) -> usize {
        match self {
            Self::Append(append) => append.weight(),
            Self::Keep(keep) => keep.weight(),
            Self::Change(change) => change.weight(),
            Self::Release(_) => 0,
        }
    }

    fn write(&mut self, transaction: &Connection, writing: Writing<'_>) -> rusqlite::Result<Outcome> {
        match self {
            Self::Append(append) => append.write(transaction, writing),
            Self::Keep(keep) => keep.write(transaction, writing),
            // A change has no fence, and stores its own outcome.
            Self::Change(change) => change.write(transaction, writing.now).map(|()| Ok(Seq::START)),
            // In the order of arrival, so after the appends of its session.
            Self::Release(release) => release.write(transaction, writing),
        }
    }

    fn answer(self, result: Result<Outcome, StoreError>, confirmation: (Asked, Duration)) {
        match self {
            Self::Append(append) => append.answer(result, confirmation),
            Self::Keep(keep) => keep.answer(result),
            Self::Change(change) => change.answer(result.map(|_| ())),
            Self::Release(release) => release.answer(result),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use async_tool_runtime::{
        SessionId,
        journal::{AppendError, Claim, Entry},
        task::Timestamp,
    };
    use tokio::sync::oneshot;

    use super::*;
    use crate::{OpenCheck, schema};

    /// A writer with an empty log, in a new directory.
    fn writer() -> (tempfile::TempDir, Writer) {
        let directory = tempfile::tempdir().unwrap();
        let journal = directory.path().join("sessions.db");
        let mut connection = Connection::open(&journal).unwrap();
        schema::prepare(&mut connection).unwrap();
        let (clock, lease) = (Clock::default(), Duration::from_secs(30));
        let transaction = connection.transaction().unwrap();
        let owner = Owner::enter(&transaction, &journal, lease, clock.now()).unwrap();
        transaction.commit().unwrap();
        let identity = Identity::new(&connection, &journal, OpenCheck::None).unwrap();
        connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .unwrap();
        let writer = Writer {
            connection,
            owner,
            identity,
            journal,
            clock,
            is_chaining: false,
            lease,
            tenants: RefCell::default(),
            watches: RefCell::default(),
        };
        (directory, writer)
    }

    #[test]
    fn a_group_is_not_written_again_when_its_files_cannot_be_checked_after_the_commit() {
        let (_directory, mut writer) = writer();
        let entry = Entry::UserMessage {
            text: "a".to_owned(),
            media: Vec::new(),
            traceparent: None,
            at: Timestamp::from_millis(1),
        };
        let append = |session: &str| {
            let (reply, answer) = oneshot::channel();
            let (session, claim) = (SessionId::new(session), Claim::new());
            let append = Append::new(&session, &claim, Seq::START, std::slice::from_ref(&entry), reply);
            (Item::Append(append.unwrap()), answer)
        };
        writer.identity.blind();
        let (mut group, mut results) = (vec![append("a").0], Vec::new());
        let written = writer.attempt(&mut group, &mut results, &mut || None);
        assert!(matches!(written, Ok(Err(StoreError::Other(_)))), "{written:?}");

        // Emptied, so that the check before the next commit has nothing to read.
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        writer.connection.query_row(checkpoint, [], |_| Ok(())).unwrap();
        let (commands, waiting) = mpsc::channel();
        let (first, first_answer) = append("b");
        let (Item::Append(second), second_answer) = append("c") else {
            unreachable!("an append");
        };
        commands.send(Command::Append(second)).unwrap();
        writer.write_group(first, &waiting);
        for mut answer in [first_answer, second_answer] {
            let answer = answer.try_recv().unwrap();
            assert!(matches!(answer, Err(AppendError::Unavailable(_))), "{answer:?}");
        }
        let rows: i64 = writer
            .connection
            .query_row("SELECT count(*) FROM entries", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 3);
    }
}
