//! State of a session: the fold of its journal.
//!
//! `fold.rs` passes each entry to the function of its family: `session.rs`, `turns.rs`, `tasks.rs`, `answers.rs`,
//! `deliveries.rs`.

mod answers;
mod clock;
mod deliveries;
mod error;
mod fold;
mod media;
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
    content::Content,
    context::{Answer, AnswerContent, Message, Pruned, Transcript, unseen},
    id::{TaskId, TaskNo},
    journal::{Format, Seq},
    task::{AsyncTaskResult, TaskStatus, TurnCause, TurnNo},
    tool::TASK_TOOL,
};

/// State of a session: the fold of its journal. Only [`apply`](Self::apply) changes it, and refuses entries that would
/// break a promise.
///
/// ```
/// use async_tool_runtime::{
///     agent::{AgentState, Ledger},
///     journal::MemoryJournal,
///     AsyncAgent, AsyncToolManager, RulePlanner,
/// };
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().build()?;
/// let journal = Arc::new(MemoryJournal::new());
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager).journal(Arc::clone(&journal)).start().await?;
/// agent.run_to_completion("status").await?;
///
/// let ledger = Ledger::fold(&journal.entries(agent.session()))?;
/// assert_eq!(ledger.state(), AgentState::Idle);
/// assert_eq!(ledger.transcript().messages(), &agent.transcript().await?[..]);
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    /// Newest format of the entries.
    pub(super) format: Format,
    /// `traceparent` of the last user message.
    pub(super) message_trace: Option<Arc<str>>,
    /// `traceparent` of the message that led to the last turn.
    pub(super) turn_trace: Option<Arc<str>>,
    pub(super) opened: bool,
    pub(super) nonce: String,
    pub(super) works_for: Option<TaskId>,
    /// True if the session was resumed with unfinished work, and the model has not been told so.
    pub(super) is_restart_untold: bool,
    pub(super) transcript: Transcript,
    /// Extent to which the transcript is pruned for the model.
    pub(super) pruned: Pruned,
    /// User messages that came while a turn was open. They follow the turn's answers in the transcript.
    pub(super) held_messages: Vec<Content>,
    pub(super) tasks: BTreeMap<TaskNo, TaskRecord>,
    pub(super) numbers: HashMap<TaskId, TaskNo>,
    /// Accepted and not settled. A set of its own, because every step reads it, in sessions of any length.
    pub(super) open_tasks: BTreeSet<TaskNo>,
    /// Settled, acknowledged, and not delivered; in the order of settlement.
    pub(super) inbox: VecDeque<TaskNo>,
    pub(super) open_turn: Option<OpenTurn>,
    pub(super) last_turn: TurnNo,
    /// Last turn before those that answer the last user message.
    pub(super) answered_before: TurnNo,
    /// Result that interrupted the last turn; the next turn delivers it.
    pub(super) interrupter: Option<TaskNo>,
    /// Answers that no turn has seen yet: their place in the transcript, and the tasks with only an acknowledgement
    /// there.
    pub(super) unseen: Option<(usize, Vec<TaskNo>)>,
    /// Acknowledgements that were unseen when the running turn started; no turn has ended since.
    pub(super) unseen_before: Option<(usize, Vec<TaskNo>)>,
    pub(super) unanswered: bool,
    /// True if the model has more to answer than the results of its own calls. Then the next turn is due at once, even
    /// in a batch.
    pub(super) pressing: bool,
    pub(super) groups: Vec<TaskGroup>,
    pub(super) run: RunTotals,
    /// True if the last turn of the run was empty.
    pub(super) ended_empty: bool,
    /// True from the host's halt to the next turn or message.
    pub(super) is_halted: bool,
    /// Turns in a row that only repeated calls whose results the model had.
    pub(super) repetitions: u32,
    /// True if the last turn of the run that followed acknowledgements alone made no call.
    pub(super) rests_after_acks: bool,
    /// Number of results that the model wrote itself, in the whole session.
    pub(super) forged: u32,
    pub(super) forging: u32,
    /// True if the model must be told so when the turn is closed.
    pub(super) is_to_be_corrected: bool,
    pub(super) draining: Option<Timestamp>,
    /// Time of the latest entry, by the clock of the process that wrote it.
    pub(super) last_at: Timestamp,
    pub(super) life: Life,
}

impl Ledger {
    /// Ledger of a session without entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// State of the agent after the last entry. The backoff after a failed turn counts as idle.
    #[must_use]
    pub fn state(&self) -> AgentState {
        match (self.life, &self.open_turn) {
            (Life::Closed, _) => AgentState::Closed,
            (Life::Closing, _) => AgentState::Closing,
            (Life::Open, _) if self.draining.is_some() => AgentState::Closing,
            (Life::Open, Some(open)) if open.ended => AgentState::Answering,
            (Life::Open, Some(_)) => AgentState::Thinking,
            (Life::Open, None) if !self.open_tasks.is_empty() || self.is_unanswered() => AgentState::Waiting,
            (Life::Open, None) => AgentState::Idle,
        }
    }

    /// Number of the turn that runs, or whose calls have no answers yet.
    #[must_use]
    pub fn turn(&self) -> Option<TurnNo> {
        self.open_turn.as_ref().map(|open| open.turn)
    }

    /// Whole conversation. [`pruned`](Self::pruned) says how much of it the model gets.
    #[must_use]
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Extent to which the transcript is pruned for the model.
    #[must_use]
    pub fn pruned(&self) -> &Pruned {
        &self.pruned
    }

    /// True if the transcript holds something that the model has not answered.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.unanswered
    }

    /// Position of the last entry.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.transcript.seq()
    }

    /// Numbers of all tasks.
    pub(crate) fn numbers(&self) -> &HashMap<TaskId, TaskNo> {
        &self.numbers
    }

    /// True if the model has more to answer than the results of its own calls.
    pub(crate) fn is_pressing(&self) -> bool {
        self.pressing
    }

    /// Tasks that have not ended.
    pub fn open_tasks(&self) -> impl Iterator<Item = TaskNo> {
        self.open_tasks.iter().copied()
    }

    pub(crate) fn is_open(&self, number: TaskNo) -> bool {
        self.open_tasks.contains(&number)
    }

    /// Undelivered results, in the order in which they came.
    ///
    /// ```
    /// use async_tool_runtime::{
    ///     agent::Ledger,
    ///     async_tool,
    ///     journal::MemoryJournal,
    ///     tools, AsyncAgent, AsyncToolManager, RulePlanner, TaskNo,
    /// };
    /// use std::sync::Arc;
    ///
    /// /// Warms up the cache.
    /// #[async_tool(background = "always", delivery = "silent")]
    /// async fn warm_up() {}
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![warm_up]).build()?;
    /// # let journal = Arc::new(MemoryJournal::new());
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).journal(Arc::clone(&journal)).start().await?;
    /// agent.send("warm_up").await?;
    /// agent.run_until_idle().await?;
    /// let ledger = Ledger::fold(&journal.entries(agent.session()))?;
    /// let waiting: Vec<_> = ledger.inbox().map(|(number, _)| number).collect();
    /// assert_eq!(waiting, [TaskNo::new(1)]); // The next message delivers it.
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn inbox(&self) -> impl Iterator<Item = (TaskNo, &Arc<AsyncTaskResult>)> {
        self.inbox
            .iter()
            .filter_map(|number| Some((*number, self.tasks.get(number)?.result.as_ref()?)))
    }

    /// Number of a task in the session.
    #[must_use]
    pub fn number(&self, task: TaskId) -> Option<TaskNo> {
        self.numbers.get(&task).copied()
    }

    /// Number of tool results that the model wrote itself in this session; they were cut out.
    #[must_use]
    pub fn forged(&self) -> u32 {
        self.forged
    }

    /// Totals since the last user message.
    #[must_use]
    pub fn run(&self) -> &RunTotals {
        &self.run
    }

    /// Turns in a row that only repeated calls whose results the model had.
    pub(crate) fn repetitions(&self) -> u32 {
        self.repetitions
    }

    /// Calls of the turns since the last user message, the latest first.
    pub(crate) fn calls_of_run(&self) -> impl Iterator<Item = (TaskNo, &TaskRecord)> {
        let before = self.last_turn.as_u32().saturating_sub(self.run.turns);
        let calls = self.tasks.iter().rev();
        calls
            .take_while(move |(_, record)| record.turn.as_u32() > before)
            .map(|(number, record)| (*number, record))
    }

    /// `traceparent` of the message that led to the last turn: the one it answers, or the one whose calls' results woke it.
    pub(crate) fn turn_trace(&self) -> Option<&Arc<str>> {
        self.turn_trace.as_ref()
    }

    /// `traceparent` of the message that leads to the next turn.
    pub(super) fn next_trace(&self) -> Option<Arc<str>> {
        if self.cause() == TurnCause::User {
            return self.message_trace.clone();
        }
        let messages = self.transcript.messages();
        let told = messages[unseen(messages)].iter().find_map(|message| match &**message {
            Message::Delivery { tasks, .. } => self.tasks.get(tasks.first()?)?.traceparent.clone(),
            _ => None,
        });
        told.or_else(|| self.turn_trace.clone())
    }

    /// News for the model in the messages since its last turn.
    pub(crate) fn cause(&self) -> TurnCause {
        let messages = self.transcript.messages();
        let causes = messages[unseen(messages)].iter().map(|message| match &**message {
            Message::User { .. } => TurnCause::User,
            Message::Note { .. } => TurnCause::Correction,
            Message::Answers(answers) if answers.iter().all(is_ack) => TurnCause::Acknowledgements,
            Message::Delivery { .. } | Message::Answers(_) | Message::Assistant { .. } => TurnCause::Results,
        });
        causes.max().unwrap_or(TurnCause::Results)
    }

    /// True if the last turn since the last user message that followed acknowledgements alone made no call.
    pub(crate) fn rests_after_acks(&self) -> bool {
        self.rests_after_acks
    }

    /// True if the last turn since the last user message was [empty](Self::is_empty_turn).
    pub(crate) fn has_ended_empty(&self) -> bool {
        self.ended_empty
    }

    /// True if the host has halted the agent, and neither a turn nor a message has come since.
    pub(crate) fn is_halted(&self) -> bool {
        self.is_halted
    }

    /// Tasks that have not ended, of the turns that answer the last user message in the conversation.
    pub(crate) fn open_tasks_of_answer(&self) -> impl Iterator<Item = TaskNo> {
        let is_of_answer = |number: &TaskNo| self.tasks[number].turn > self.answered_before;
        self.open_tasks().filter(is_of_answer)
    }

    /// True if the task's call was last answered with an acknowledgement that no turn has seen.
    pub(crate) fn is_unseen(&self, number: TaskNo) -> bool {
        matches!(&self.unseen, Some((_, acknowledged)) if acknowledged.contains(&number))
    }

    /// Group of a task.
    pub(crate) fn group_of(&self, number: TaskNo) -> Option<&TaskGroup> {
        self.groups.iter().find(|group| group.tasks.contains(&number))
    }

    /// Call that the session works for, if its agent is a tool.
    #[must_use]
    pub fn works_for(&self) -> Option<TaskId> {
        self.works_for
    }

    /// True if the session is closed; no entry can follow.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.life == Life::Closed
    }

    /// True if the next delivery must tell the model that the session was resumed.
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

    /// Tasks with their statuses; `None` for a task that has not ended.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = (TaskId, Option<TaskStatus>)> {
        let tasks = self.tasks.values().filter(|record| record.is_task());
        tasks.map(|record| (record.task, record.result.as_ref().map(|result| result.status())))
    }

    pub(crate) fn open_turn(&self) -> Option<&OpenTurn> {
        self.open_turn.as_ref()
    }

    pub(crate) fn last_turn(&self) -> TurnNo {
        self.last_turn
    }

    /// True if the model is shown a result only in part, or has been; at least, if there are results and a part of the conversation is
    /// left out.
    pub(crate) fn shows_parts(&self) -> bool {
        let is_cut = |record: &TaskRecord| {
            let result = record.result.as_ref().filter(|_| record.told != Told::Nothing);
            result.is_some_and(|result| result.preview.is_some())
        };
        let is_pruned = self.pruned != Pruned::default() && !self.tasks.is_empty();
        is_pruned || self.tasks.values().any(is_cut)
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

/// True if an answer says only that a task runs.
fn is_ack(answer: &Answer) -> bool {
    match &answer.content {
        AnswerContent::Ack(_) => true,
        AnswerContent::Report(report) => report.get("instruction").is_some() && &*answer.tool != TASK_TOOL,
        AnswerContent::Result(_) | AnswerContent::Collapsed(_) => false,
    }
}
