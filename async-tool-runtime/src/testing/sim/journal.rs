//! A simulated journal.

use std::sync::Arc;

use super::world::{Kept, World};
use crate::{
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Claim, Entry, Journal, ReadError, Seq, SessionFilter},
    session::SessionId,
    testing::Replay,
};

/// Appends that fail in a row, at most.
const FAILURES: u32 = 2;

/// Journal of a [`Sim`](super::Sim), in memory, with random delays and the [faults](crate::testing::Faults::journal_failures) of the
/// exploration. From [`Sim::journal`](super::Sim::journal); clones share their entries.
///
/// ```
/// use async_tool_runtime::testing::{Explore, ScriptedModel};
/// use async_tool_runtime::{journal::Entry, AsyncToolManager};
///
/// Explore::new().seeds(0..5).run(async |sim| {
///     let manager = AsyncToolManager::builder().build().unwrap();
///     let agent = sim.agent(ScriptedModel::new().text("yes?"), manager).start().await.unwrap();
///     agent.send("hello").await.unwrap();
///     agent.run_until_idle().await.unwrap();
///
///     let journal = sim.journal();
///     assert_eq!(journal.session_ids(), [agent.session().clone()]);
///     let entries = journal.entries(agent.session());
///     assert!(matches!(entries[0], Entry::Opened { .. }));
///     journal.replay(agent.session()).unwrap().check().unwrap();
/// });
/// ```
#[derive(Clone, Debug)]
pub struct SimJournal {
    world: Arc<World>,
}

impl SimJournal {
    pub(super) fn new(world: Arc<World>) -> Self {
        Self { world }
    }

    /// Entries of a session so far.
    #[must_use]
    pub fn entries(&self, session: &SessionId) -> Vec<Entry> {
        self.kept().journal.entries(session)
    }

    /// Sessions so far, in the order in which they began.
    #[must_use]
    pub fn session_ids(&self) -> Vec<SessionId> {
        self.kept().sessions().names.clone()
    }

    /// A session as it stood after each of its entries.
    ///
    /// # Errors
    ///
    /// [`FoldError`](crate::agent::FoldError) at the first entry that can't follow the entries before it.
    pub fn replay(&self, session: &SessionId) -> Result<Replay, crate::agent::FoldError> {
        Replay::new(self.entries(session))
    }

    fn kept(&self) -> &Kept {
        &self.world.journal
    }

    /// Draws whether this append fails.
    fn fails(&self, session: &SessionId) -> bool {
        let fails = self.world.chance(self.world.faults.journal_failures);
        let mut sessions = self.kept().sessions();
        let failures = sessions.failures.entry(session.clone()).or_default();
        let fails = fails && *failures < FAILURES;
        *failures = if fails { *failures + 1 } else { 0 };
        fails
    }
}

impl Journal for SimJournal {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        Box::pin(async move {
            self.world.pause(self.world.journal_takes).await;
            let (fails, is_written) = (self.fails(session), self.world.chance(0.5));
            let down = || Err(AppendError::Unavailable("simulated failure of the journal".into()));
            if fails && !is_written {
                return down();
            }
            let written = self.kept().journal.append(session, claim, after, entries).await?;
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

    fn release<'a>(&'a self, session: &'a SessionId, claim: &'a Claim) -> BoxFuture<'a, Result<(), AppendError>> {
        Box::pin(async move {
            self.world.pause(self.world.journal_takes).await;
            if self.fails(session) {
                return Err(AppendError::Unavailable("simulated failure of the journal".into()));
            }
            self.kept().journal.release(session, claim).await
        })
    }

    fn is_durable(&self) -> bool {
        // Nothing of a world is left when it is over, so an agent that the scenario drops closes its session.
        false
    }
}
