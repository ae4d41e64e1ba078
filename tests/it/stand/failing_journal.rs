//! A journal that fails as a test says.

use std::{
    collections::BTreeSet,
    num::NonZeroU64,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    Journal, SessionId,
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Claim, Entry, MemoryJournal, ReadError, Seq, SessionFilter, Snapshot},
};

/// Behaviour of one append.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Works.
    None,
    /// Works after this time.
    Slow(Duration),
    /// Writes nothing and reports a full disk.
    Unavailable,
    /// Writes, then reports that the store is unavailable, as a store does whose answer is lost.
    AnswerLost,
    /// Writes nothing and reports an entry that another process wrote.
    Conflict,
    /// Writes nothing and never returns, as in a process that has ended.
    Hangs,
}

/// Situation in which the fault of an append is chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    /// The last entry that the caller knows.
    pub(crate) after: Seq,
    /// Number of appends without a fault so far.
    pub(crate) done: usize,
    /// Number of faults so far.
    pub(crate) failed: usize,
}

type Choice = Arc<dyn Fn(Attempt) -> Fault + Send + Sync>;

/// A journal in memory whose appends fail as the test says. Clones share everything; without a fault it works.
#[derive(Clone)]
pub(crate) struct FailingJournal {
    kept: Arc<MemoryJournal>,
    shared: Arc<Shared>,
}

struct Shared {
    choice: Mutex<Choice>,
    done: AtomicUsize,
    failed: AtomicUsize,
    /// Number of entries that were read.
    read: AtomicUsize,
    /// Entries whose answer was lost; the next append must be the same.
    unanswered: Mutex<Option<Vec<Entry>>>,
    snapshot_every: Mutex<Option<NonZeroU64>>,
    snapshots: Mutex<Vec<Snapshot>>,
    /// Sessions that were written to.
    sessions: Mutex<BTreeSet<SessionId>>,
}

impl FailingJournal {
    pub(crate) fn new() -> Self {
        Self::of(&Arc::default())
    }

    /// Keeps its entries in `kept`, which outlives the process that the test ends.
    pub(crate) fn of(kept: &Arc<MemoryJournal>) -> Self {
        let shared = Shared {
            choice: Mutex::new(Arc::new(|_| Fault::None)),
            done: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            read: AtomicUsize::new(0),
            unanswered: Mutex::default(),
            snapshot_every: Mutex::default(),
            snapshots: Mutex::default(),
            sessions: Mutex::default(),
        };
        Self {
            kept: Arc::clone(kept),
            shared: Arc::new(shared),
        }
    }

    /// Chooses the fault of each append by `choice`.
    pub(crate) fn failing(self, choice: impl Fn(Attempt) -> Fault + Send + Sync + 'static) -> Self {
        *self.shared.choice.lock().unwrap() = Arc::new(choice);
        self
    }

    /// Gives every append from now on this fault. A process that has ended holds no session any more.
    pub(crate) fn set(&self, fault: Fault) {
        if matches!(fault, Fault::Hangs) {
            self.end();
        }
        *self.shared.choice.lock().unwrap() = Arc::new(move |_| fault);
    }

    /// Asks for a snapshot after this many entries. Without it, the journal keeps no snapshots.
    pub(crate) fn snapshot_every(self, entries: u64) -> Self {
        *self.shared.snapshot_every.lock().unwrap() = NonZeroU64::new(entries);
        self
    }

    /// The entries of session `s`.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.kept.entries(&SessionId::new("s"))
    }

    /// The journal behind the faults.
    pub(crate) fn kept(&self) -> &MemoryJournal {
        &self.kept
    }

    /// Number of appends without a fault so far.
    pub(crate) fn done(&self) -> usize {
        self.shared.done.load(Ordering::SeqCst)
    }

    /// Number of entries that were read since the last call.
    pub(crate) fn take_read(&self) -> usize {
        self.shared.read.swap(0, Ordering::SeqCst)
    }

    /// All snapshots, oldest first. The last is given to a session that is resumed.
    pub(crate) fn snapshots(&self) -> Vec<Snapshot> {
        self.shared.snapshots.lock().unwrap().clone()
    }

    pub(crate) fn add_snapshot(&self, snapshot: Snapshot) {
        self.shared.snapshots.lock().unwrap().push(snapshot);
    }

    /// Gives up all sessions, as when the process has ended.
    fn end(&self) {
        let sessions = std::mem::take(&mut *self.shared.sessions.lock().unwrap());
        sessions.iter().for_each(|session| self.kept.expire(session));
    }

    fn choose(&self, after: Seq) -> Fault {
        let choice = Arc::clone(&self.shared.choice.lock().unwrap());
        choice(Attempt {
            after,
            done: self.done(),
            failed: self.shared.failed.load(Ordering::SeqCst),
        })
    }
}

impl Journal for FailingJournal {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        Box::pin(async move {
            let shared = &*self.shared;
            let fault = self.choose(after);
            if let Some(unanswered) = shared.unanswered.lock().unwrap().take() {
                assert_eq!(unanswered, entries, "the same is tried again");
            }
            match fault {
                Fault::None => {}
                Fault::Slow(time) => tokio::time::sleep(time).await,
                Fault::Hangs => {
                    self.end();
                    std::future::pending().await
                }
                Fault::Unavailable => {
                    shared.failed.fetch_add(1, Ordering::SeqCst);
                    return Err(AppendError::Unavailable("disk full".into()));
                }
                Fault::AnswerLost => {
                    shared.failed.fetch_add(1, Ordering::SeqCst);
                    self.kept.append(session, claim, after, entries).await?;
                    *shared.unanswered.lock().unwrap() = Some(entries.to_vec());
                    return Err(AppendError::Unavailable("the answer was lost".into()));
                }
                Fault::Conflict => {
                    shared.failed.fetch_add(1, Ordering::SeqCst);
                    return Err(AppendError::Conflict {
                        last: Seq::new(after.as_u64() + 1),
                    });
                }
            }
            shared.sessions.lock().unwrap().insert(session.clone());
            let appended = self.kept.append(session, claim, after, entries).await;
            shared.done.fetch_add(1, Ordering::SeqCst);
            appended
        })
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        let skipped = usize::try_from(after.as_u64()).unwrap();
        let left = self.kept.entries(session).len().saturating_sub(skipped);
        self.shared.read.fetch_add(left, Ordering::SeqCst);
        self.kept.read(session, after)
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        self.kept.sessions(filter)
    }

    fn release<'a>(&'a self, session: &'a SessionId, claim: &'a Claim) -> BoxFuture<'a, Result<(), AppendError>> {
        self.kept.release(session, claim)
    }

    fn snapshot_every(&self) -> Option<NonZeroU64> {
        *self.shared.snapshot_every.lock().unwrap()
    }

    fn keep_snapshot<'a>(&'a self, _: &'a SessionId, snapshot: Snapshot) -> BoxFuture<'a, Result<(), AppendError>> {
        self.add_snapshot(snapshot);
        Box::pin(std::future::ready(Ok(())))
    }

    fn snapshot<'a>(&'a self, _: &'a SessionId) -> BoxFuture<'a, Result<Option<Snapshot>, ReadError>> {
        let last = self.snapshots().pop();
        Box::pin(std::future::ready(Ok(last)))
    }
}
