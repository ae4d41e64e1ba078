//! A session, read from its journal.

use std::{fmt, sync::Arc};

use super::{check_journal, timeline};
use crate::{
    agent::{AgentState, FoldError, Ledger},
    context::{Message, Transcript, pruned_view},
    journal::{Entry, Seq},
    task::TurnNo,
};

/// A session as it stood after each entry of its journal: shows what a model saw, and why.
///
/// Its text is a timeline with one line for each entry, and times in milliseconds since the session was opened. Two runs with the same
/// events at the same times have the same timeline: it holds no ids, no nonce and no time of day.
///
/// ```
/// use async_tool_runtime::{
///     async_tool, journal::MemoryJournal, task::TurnNo, testing::Replay, tools, AsyncAgent, AsyncToolManager,
///     RulePlanner, SessionId,
/// };
/// use std::sync::Arc;
///
/// /// Adds two numbers.
/// #[async_tool(effect = "read")]
/// async fn add(a: i64, b: i64) -> i64 {
///     a + b
/// }
///
/// # async_tool_runtime::testing::run_paused(async {
/// let journal = Arc::new(MemoryJournal::new());
/// let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager).journal(Arc::clone(&journal)).session("s").start().await?;
/// agent.send("add a=2 b=3").await?;
/// agent.run_until_idle().await?;
///
/// let replay = Replay::new(journal.entries(&SessionId::new("s")))?;
/// let seen = replay.shown_in(TurnNo::new(2)).expect("there was a second turn");
/// assert_eq!(seen.len(), 3, "the user, the call, its answer");
/// assert!(replay.to_string().contains(r#"t1 is accepted: add {"a":2,"b":3}"#), "{replay}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Replay {
    entries: Vec<Entry>,
}

impl Replay {
    /// Reads a journal.
    ///
    /// # Errors
    ///
    /// [`FoldError`] at the first entry that can't follow the entries before it: no agent writes such a journal.
    pub fn new(entries: impl Into<Vec<Entry>>) -> Result<Self, FoldError> {
        let entries = entries.into();
        Ledger::fold(&entries)?;
        Ok(Self { entries })
    }

    /// The entries; the first is at [`Seq`] 1.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Ledger after this entry, or after the last entry if there are fewer. Takes time in proportion to the journal's length.
    fn ledger_at(&self, seq: Seq) -> Ledger {
        // `new` has folded all of them.
        Ledger::fold(self.up_to(seq)).unwrap_or_default()
    }

    /// The conversation after this entry.
    #[must_use]
    pub fn transcript_at(&self, seq: Seq) -> Transcript {
        self.ledger_at(seq).transcript().clone()
    }

    /// State of the agent after this entry.
    #[must_use]
    pub fn state_at(&self, seq: Seq) -> AgentState {
        self.ledger_at(seq).state()
    }

    /// Messages that the model was shown in this turn, pruned as they were then; `None` if there was no such turn.
    #[must_use]
    pub fn shown_in(&self, turn: TurnNo) -> Option<Vec<Arc<Message>>> {
        let is_it = |entry: &Entry| matches!(entry, Entry::TurnStarted { turn: started, .. } if *started == turn);
        let place = self.entries.iter().position(is_it)?;
        let ledger = self.ledger_at(Seq::new(place as u64 + 1));
        Some(pruned_view(ledger.transcript().messages(), ledger.pruned()))
    }

    /// Checks that the session kept the library's promises; see [`check_journal`].
    ///
    /// # Errors
    ///
    /// [`PromiseError`](super::PromiseError): the first entry that breaks a promise.
    pub fn check(&self) -> Result<(), super::PromiseError> {
        check_journal(&self.entries)
    }

    fn up_to(&self, seq: Seq) -> &[Entry] {
        let end = usize::try_from(seq.as_u64()).unwrap_or(usize::MAX);
        &self.entries[..end.min(self.entries.len())]
    }
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        timeline::write(f, &self.entries)
    }
}
