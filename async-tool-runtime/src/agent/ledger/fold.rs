//! Fold of entries into a ledger.

use std::collections::BTreeSet;

use super::{FoldError, Ledger, TaskRecord, error::require, phase::Life};
use crate::{id::TaskNo, journal::Entry};

impl Ledger {
    /// Folds the entries of a session, from its first one.
    ///
    /// ```
    /// use async_tool_runtime::{agent::Ledger, journal::MemoryJournal, AsyncAgent, AsyncToolManager, RulePlanner};
    /// use std::sync::Arc;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let journal = Arc::new(MemoryJournal::new());
    /// # let manager = AsyncToolManager::builder().build()?;
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).journal(Arc::clone(&journal)).start().await?;
    /// agent.close().await?;
    /// let ledger = Ledger::fold(&journal.entries(agent.session()))?;
    /// assert!(ledger.is_closed());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`FoldError`] at the first entry that can't follow those before it.
    pub fn fold<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Self, FoldError> {
        let mut ledger = Self::new();
        for entry in entries {
            ledger.apply(entry)?;
        }
        Ok(ledger)
    }

    /// Applies one entry.
    ///
    /// # Errors
    ///
    /// [`FoldError`] if the entry can't follow those before it; the ledger is unchanged then.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), FoldError> {
        self.check_life(entry)?;
        check_once(entry)?;
        self.apply_family(entry)?;
        self.note_time(entry);
        self.transcript.advance();
        Ok(())
    }

    fn apply_family(&mut self, entry: &Entry) -> Result<(), FoldError> {
        match entry {
            Entry::Opened { .. }
            | Entry::Resumed { .. }
            | Entry::UserMessage { .. }
            | Entry::Pruned { .. }
            | Entry::Draining { .. }
            | Entry::Closing { .. }
            | Entry::Closed { .. } => self.apply_session(entry),
            Entry::TurnStarted { .. }
            | Entry::TurnEnded { .. }
            | Entry::TurnInterrupted { .. }
            | Entry::TurnWithdrawn { .. }
            | Entry::TurnFailed { .. }
            | Entry::Halted { .. } => self.apply_turn(entry),
            Entry::Accepted { .. }
            | Entry::Settled { .. }
            | Entry::CancelRequested { .. }
            | Entry::Resubmitted { .. }
            | Entry::Deferred { .. }
            | Entry::Asked { .. }
            | Entry::Checkpointed { .. }
            | Entry::DeliverySet { .. }
            | Entry::Grouped { .. }
            | Entry::Detached { .. } => self.apply_task(entry),
            Entry::Answered {
                turn,
                answers,
                eager,
                instruction,
                at,
            } => self.apply_answers(entry, *turn, answers, *eager, instruction.as_ref(), *at),
            Entry::Replaced { tasks, .. } => self.apply_replaced(entry, tasks),
            Entry::Delivered { tasks, text, .. } => self.apply_delivered(entry, tasks, text),
            Entry::Dropped { tasks, .. } => self.apply_dropped(entry, tasks),
        }
    }

    /// Checks that an entry of this kind may come in this phase of the session.
    fn check_life(&self, entry: &Entry) -> Result<(), FoldError> {
        require(entry, self.life != Life::Closed, "the session is closed")?;
        let is_first = matches!(entry, Entry::Opened { .. });
        require(entry, self.opened || is_first, "the session has not been opened")?;
        let goes_on = matches!(
            entry,
            Entry::UserMessage { .. } | Entry::TurnStarted { .. } | Entry::Accepted { .. } | Entry::Delivered { .. }
        );
        require(
            entry,
            !goes_on || self.life == Life::Open,
            "a session that is closing takes in nothing new",
        )
    }

    pub(super) fn record_mut(&mut self, number: TaskNo, entry: &Entry) -> Result<&mut TaskRecord, FoldError> {
        self.tasks
            .get_mut(&number)
            .ok_or_else(|| FoldError::new(entry, "the task was never accepted"))
    }
}

/// Checks that an entry names each of its tasks once.
fn check_once(entry: &Entry) -> Result<(), FoldError> {
    if let Entry::Replaced { tasks, .. }
    | Entry::Delivered { tasks, .. }
    | Entry::Dropped { tasks, .. }
    | Entry::Detached { tasks, .. } = entry
    {
        let named: BTreeSet<TaskNo> = tasks.iter().copied().collect();
        let is_once = named.len() == tasks.len();
        require(entry, is_once, "an entry names each of its tasks once")?;
    }
    Ok(())
}
