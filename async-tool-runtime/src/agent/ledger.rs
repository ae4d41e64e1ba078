//! State of a session: the fold of its journal.
//!
//! `fold.rs` takes an entry to the function of its family: `session.rs`, `turns.rs`, `tasks.rs`, `answers.rs`, `deliveries.rs`.

mod answers;
mod deliveries;
mod error;
mod fold;
mod phase;
mod record;
mod session;
mod tasks;
mod turns;

pub use error::FoldError;
pub(crate) use phase::{Life, OpenTurn};
pub(crate) use record::{TaskRecord, Told, Waits};

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use super::{AgentState, RunTotals, group::TaskGroup};
use crate::{
    clock::Timestamp,
    context::{Pruned, Transcript},
    id::{TaskId, TaskNo},
    task::{AsyncTaskResult, TurnNo},
};

/// State of a session: the fold of its journal. [`apply`](Self::apply) is the only way to change it, and it refuses
/// entries that would break a promise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    pub(super) opened: bool,
    pub(super) nonce: String,
    pub(super) works_for: Option<TaskId>,
    /// The session was taken up again with something undone, and the model has not been told so.
    pub(super) is_restart_untold: bool,
    pub(super) transcript: Transcript,
    /// Extent to which the transcript is pruned for the model.
    pub(super) pruned: Pruned,
    /// User messages that came while a turn was open: they follow its answers.
    pub(super) held_messages: Vec<String>,
    pub(super) tasks: BTreeMap<TaskNo, TaskRecord>,
    pub(super) numbers: HashMap<TaskId, TaskNo>,
    /// Accepted and not settled: asked for at every step, however long the session is.
    pub(super) open_tasks: BTreeSet<TaskNo>,
    /// Settled, acknowledged, and not delivered; in the order in which they settled.
    pub(super) inbox: VecDeque<TaskNo>,
    pub(super) open_turn: Option<OpenTurn>,
    pub(super) last_turn: TurnNo,
    /// The result for which the last turn was broken off, until the next one takes it along.
    pub(super) interrupter: Option<TaskNo>,
    /// The answers that no turn has seen yet: their place in the transcript, and the tasks that are only acknowledged there.
    pub(super) unseen: Option<(usize, Vec<TaskNo>)>,
    pub(super) unanswered: bool,
    /// More than results that were in before their calls were answered: the model is asked at once, also in a batch.
    pub(super) pressing: bool,
    pub(super) groups: Vec<TaskGroup>,
    pub(super) run: RunTotals,
    /// Number of results that the model has written itself, in all.
    pub(super) forged: u32,
    pub(super) forging: u32,
    /// The model is to be told so when the turn is closed.
    pub(super) is_to_be_corrected: bool,
    pub(super) draining: Option<Timestamp>,
    pub(super) life: Life,
}

impl Ledger {
    /// A session without entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// State of the agent after the last entry. The pause after a turn that failed counts as idle.
    #[must_use]
    pub fn state(&self) -> AgentState {
        match (self.life, &self.open_turn) {
            (Life::Closed, _) => AgentState::Closed,
            (Life::Closing, _) => AgentState::Closing,
            (Life::Open, _) if self.draining.is_some() => AgentState::Closing,
            (Life::Open, Some(open)) if open.ended => AgentState::Answering,
            (Life::Open, Some(_)) => AgentState::Thinking,
            (Life::Open, None) => AgentState::Idle,
        }
    }

    /// Number of the turn that runs, or whose calls have no answers yet.
    #[must_use]
    pub fn turn(&self) -> Option<TurnNo> {
        self.open_turn.as_ref().map(|open| open.turn)
    }

    /// The conversation as the model is shown it.
    #[must_use]
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Extent to which the transcript is pruned for the model.
    #[must_use]
    pub fn pruned(&self) -> &Pruned {
        &self.pruned
    }

    /// True if something stands in the transcript that the model has not answered.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.unanswered
    }

    /// True if what the model has not answered is more than the results of its own calls.
    pub(crate) fn is_pressing(&self) -> bool {
        self.pressing
    }

    /// The tasks that have not ended.
    pub fn open_tasks(&self) -> impl Iterator<Item = TaskNo> {
        self.open_tasks.iter().copied()
    }

    pub(crate) fn is_open(&self, number: TaskNo) -> bool {
        self.open_tasks.contains(&number)
    }

    /// The results that wait for delivery, in the order in which they came.
    pub fn inbox(&self) -> impl Iterator<Item = (TaskNo, &Arc<AsyncTaskResult>)> {
        self.inbox
            .iter()
            .filter_map(|number| Some((*number, self.tasks.get(number)?.result.as_ref()?)))
    }

    /// The number of a task.
    #[must_use]
    pub fn number(&self, task: TaskId) -> Option<TaskNo> {
        self.numbers.get(&task).copied()
    }

    /// Number of tool results that the model has written itself in this session; they were cut out.
    #[must_use]
    pub fn forged(&self) -> u32 {
        self.forged
    }

    /// Totals since the user's last message.
    #[must_use]
    pub fn run(&self) -> &RunTotals {
        &self.run
    }

    /// True if the acknowledgement of a task is the last answer to its call, and no turn has seen it.
    pub(crate) fn is_unseen(&self, number: TaskNo) -> bool {
        matches!(&self.unseen, Some((_, acknowledged)) if acknowledged.contains(&number))
    }

    /// The group of a task.
    pub(crate) fn group_of(&self, number: TaskNo) -> Option<&TaskGroup> {
        self.groups.iter().find(|group| group.tasks.contains(&number))
    }

    /// The call that the session works for, where it is that of an agent that is a tool.
    #[must_use]
    pub fn works_for(&self) -> Option<TaskId> {
        self.works_for
    }

    /// True if the session has been closed: nothing follows.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.life == Life::Closed
    }

    /// True if the model is to be told with the next results that the session was taken up again.
    pub(crate) fn is_restart_untold(&self) -> bool {
        self.is_restart_untold
    }

    pub(crate) fn draining(&self) -> Option<Timestamp> {
        self.draining
    }

    pub(crate) fn has_held_messages(&self) -> bool {
        !self.held_messages.is_empty()
    }

    pub(crate) fn nonce(&self) -> &str {
        &self.nonce
    }

    pub(crate) fn tasks(&self) -> &BTreeMap<TaskNo, TaskRecord> {
        &self.tasks
    }

    pub(crate) fn open_turn(&self) -> Option<&OpenTurn> {
        self.open_turn.as_ref()
    }

    pub(crate) fn next_turn(&self) -> TurnNo {
        self.last_turn.next()
    }

    pub(crate) fn next_number(&self) -> TaskNo {
        let last = self.tasks.last_key_value().map_or(0, |(number, _)| number.as_u32());
        TaskNo::new(last + 1)
    }

    pub(crate) fn life(&self) -> Life {
        self.life
    }
}
