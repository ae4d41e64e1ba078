//! A journal that takes its time.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::Sim;
use crate::{
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Entry, Journal, MemoryJournal, ReadError, Seq, SessionFilter},
    session::SessionId,
    testing::Replay,
};

/// How many appends in a row fail at most.
const FAILURES: u32 = 2;

/// The journal of a [`Sim`], in memory: it takes its time, and fails if it is told to. From [`Sim::journal`]; clones are the same.
#[derive(Clone, Debug)]
pub struct SimJournal {
    sim: Sim,
}

/// What is kept of it.
#[derive(Default)]
pub(in crate::testing) struct Kept {
    journal: MemoryJournal,
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    /// In the order in which they began: the same in every run, whatever their names.
    names: Vec<SessionId>,
    failures: HashMap<SessionId, u32>,
}

impl SimJournal {
    pub(super) fn new(sim: Sim) -> Self {
        Self { sim }
    }

    /// The entries of a session so far.
    #[must_use]
    pub fn entries(&self, session: &SessionId) -> Vec<Entry> {
        self.kept().journal.entries(session)
    }

    /// The sessions so far, in the order in which they began.
    #[must_use]
    pub fn session_ids(&self) -> Vec<SessionId> {
        self.kept().sessions().names.clone()
    }

    /// A session, to look at as it stood at every entry.
    ///
    /// # Errors
    ///
    /// [`FoldError`](crate::FoldError) at the first entry that can't follow those before it.
    pub fn replay(&self, session: &SessionId) -> Result<Replay, crate::FoldError> {
        Replay::new(self.entries(session))
    }

    fn kept(&self) -> &Kept {
        &self.sim.world().journal
    }

    /// Whether this append is to fail.
    fn fails(&self, session: &SessionId) -> bool {
        let fails = self.sim.chance(self.sim.world().faults.journal_failures);
        let mut sessions = self.kept().sessions();
        let failures = sessions.failures.entry(session.clone()).or_default();
        let fails = fails && *failures < FAILURES;
        *failures = if fails { *failures + 1 } else { 0 };
        fails
    }
}

impl Kept {
    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for SimJournal {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        Box::pin(async move {
            self.sim.pause(self.sim.world().journal_takes).await;
            let (fails, is_written) = (self.fails(session), self.sim.chance(0.5));
            let down = || Err(AppendError::Unavailable("down, says the simulation".into()));
            if fails && !is_written {
                return down();
            }
            let written = self.kept().journal.append(session, after, entries).await?;
            if !entries.is_empty() {
                let mut sessions = self.kept().sessions();
                if !sessions.names.contains(session) {
                    sessions.names.push(session.clone());
                }
            }
            if fails { down() } else { Ok(written) }
        })
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        self.kept().journal.read(session, after)
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        self.kept().journal.sessions(filter)
    }
}
