//! What a session is: the fold of its journal.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    fmt,
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AgentState, DeliveryPolicy, FrameGuard, RunTotals, TurnNo, group::TaskGroup};
use crate::{
    AsyncTaskResult, InputRequest, TaskAck, TaskId, TaskNo, Timestamp, ToolCall,
    context::{Answer, AnswerContent, Message, Pruned, Transcript},
    journal::{Awaited, Entry, Given},
};

/// How many times, for one message of the user's, the model is asked again only because it wrote results itself.
const CORRECTIONS: u32 = 2;

/// What a session is: the fold of its journal. [`apply`](Self::apply) is the only way to change it, and it refuses
/// entries that would break a promise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    pub(super) opened: bool,
    pub(super) nonce: String,
    pub(super) works_for: Option<TaskId>,
    /// The session was taken up again with something undone, and the model has not been told so.
    pub(super) is_restart_untold: bool,
    pub(super) transcript: Transcript,
    /// How far what the model is shown of it is pruned.
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
    /// How many results the model has written itself, in all; and in how many turns since the user's last message.
    pub(super) forged: u32,
    pub(super) forging: u32,
    /// The model is to be told so when the turn is closed.
    pub(super) is_to_be_corrected: bool,
    pub(super) draining: Option<Timestamp>,
    pub(super) life: Life,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskRecord {
    pub(crate) task: TaskId,
    pub(crate) turn: TurnNo,
    pub(crate) call: ToolCall,
    pub(crate) awaits: Vec<Awaited>,
    /// The tasks whose arguments need its result.
    pub(crate) awaited_by: Vec<TaskNo>,
    /// A call of the `task` tool, which the agent answers itself.
    pub(crate) own: bool,
    /// How many times it was submitted, at the last by another process.
    pub(crate) attempt: u32,
    pub(crate) accepted: Timestamp,
    /// When its call was answered.
    pub(crate) answered: Option<Timestamp>,
    pub(crate) told: Told,
    pub(crate) result: Option<Arc<AsyncTaskResult>>,
    pub(crate) cancel: Option<String>,
    pub(crate) waits: Waits,
    /// What the host said of its delivery; `None` means what the tool says.
    pub(crate) delivery: Option<DeliveryPolicy>,
}

/// What a task waits for that comes from outside, and that outlives the process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Waits {
    /// Nothing.
    #[default]
    Nothing,
    /// Somebody completes it; its function has ended.
    Completion,
    /// People are asked.
    Answer(InputRequest),
}

/// What the model has been told of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Told {
    /// Nothing yet.
    Nothing,
    /// That it goes on in the background.
    Ack,
    /// Its result: as the answer to its call, or in a delivery.
    Result,
    /// Nothing, ever.
    Dropped,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OpenTurn {
    pub(crate) turn: TurnNo,
    /// Accepted while the turn runs; once it has ended, its calls in order.
    pub(crate) calls: Vec<TaskNo>,
    pub(crate) ended: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Life {
    #[default]
    Open,
    Closing,
    Closed,
}

impl TaskRecord {
    /// Whether the model has been promised a result that it hasn't been given.
    pub(crate) fn is_owed(&self) -> bool {
        matches!(self.told, Told::Nothing | Told::Ack)
    }
}

impl Ledger {
    /// A session without entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The fold of entries.
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

    /// Takes in one entry.
    ///
    /// # Errors
    ///
    /// [`FoldError`] if the entry can't follow those before it; the ledger is unchanged then.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), FoldError> {
        if self.life == Life::Closed {
            return Err(FoldError::new(entry, "the session is closed"));
        }
        if !self.opened && !matches!(entry, Entry::Opened { .. }) {
            return Err(FoldError::new(entry, "the session has not been opened"));
        }
        let goes_on = matches!(
            entry,
            Entry::UserMessage { .. } | Entry::TurnStarted { .. } | Entry::Accepted { .. } | Entry::Delivered { .. }
        );
        if goes_on && self.life != Life::Open {
            return Err(FoldError::new(entry, "a session that is closing takes in nothing new"));
        }
        if let Entry::Replaced { tasks, .. }
        | Entry::Delivered { tasks, .. }
        | Entry::Dropped { tasks, .. }
        | Entry::Detached { tasks, .. } = entry
        {
            let named: BTreeSet<&TaskNo> = tasks.iter().collect();
            let is_once = named.len() == tasks.len();
            require(entry, is_once, "a task is told, dropped or let go of once")?;
        }
        match entry {
            Entry::Opened { nonce, works_for, .. } => {
                require(entry, !self.opened, "the session is open already")?;
                self.opened = true;
                self.nonce.clone_from(nonce);
                self.works_for = *works_for;
            }
            Entry::Resumed { .. } => {
                self.is_restart_untold |= !self.open_tasks.is_empty() || !self.inbox.is_empty();
            }
            Entry::UserMessage { text, .. } => {
                require(
                    entry,
                    self.draining.is_none(),
                    "a session that is draining takes no messages",
                )?;
                self.run = RunTotals::default();
                self.forging = 0;
                if self.open_turn.is_some() {
                    self.held_messages.push(text.clone());
                } else {
                    self.push_user(text.clone());
                }
            }
            Entry::TurnStarted { turn, .. } => {
                require(entry, self.open_turn.is_none(), "a turn is open already")?;
                require(entry, *turn == self.last_turn.next(), "turns are numbered without gaps")?;
                let is_told = self.interrupter.is_none_or(|number| !self.inbox.contains(&number));
                require(
                    entry,
                    is_told,
                    "a turn that was broken off for a result is followed by it",
                )?;
                self.interrupter = None;
                self.last_turn = *turn;
                self.unseen = None;
                self.run.turns = self.run.turns.saturating_add(1);
                self.open_turn = Some(OpenTurn {
                    turn: *turn,
                    calls: Vec::new(),
                    ended: false,
                });
            }
            Entry::Accepted {
                turn,
                task,
                number,
                call,
                awaits,
                own,
                at,
            } => {
                require(entry, *number == self.next_number(), "tasks are numbered without gaps")?;
                require(entry, !self.numbers.contains_key(task), "the task is there already")?;
                let is_known = |awaited: &Awaited| self.tasks.get(&awaited.task).is_some_and(|record| !record.own);
                require(entry, awaits.iter().all(is_known), "a task waits only for earlier ones")?;
                let open = self.open_turn.as_mut().filter(|open| open.turn == *turn && !open.ended);
                let open = open.ok_or_else(|| FoldError::new(entry, "the turn of the call isn't running"))?;
                let is_repeated = open.calls.iter().any(|known| self.tasks[known].call.id == call.id);
                require(entry, !is_repeated, "the calls of a turn have different ids")?;
                open.calls.push(*number);
                self.run.tool_calls = self.run.tool_calls.saturating_add(1);
                if !own {
                    self.open_tasks.insert(*number);
                }
                self.numbers.insert(*task, *number);
                self.tasks.insert(
                    *number,
                    TaskRecord {
                        task: *task,
                        turn: *turn,
                        call: call.clone(),
                        awaits: awaits.clone(),
                        awaited_by: Vec::new(),
                        own: *own,
                        attempt: 1,
                        accepted: *at,
                        answered: None,
                        told: Told::Nothing,
                        result: None,
                        cancel: None,
                        waits: Waits::Nothing,
                        delivery: None,
                    },
                );
                for awaited in awaits {
                    let followers = &mut self.record_mut(awaited.task, entry)?.awaited_by;
                    if followers.last() != Some(number) {
                        followers.push(*number);
                    }
                }
            }
            Entry::TurnEnded {
                turn,
                text,
                calls,
                end,
                cuts,
                ..
            } => {
                self.check_calls(entry, *turn, calls)?;
                self.unanswered = false;
                self.pressing = false;
                self.run.usage = self.run.usage.plus(end.usage);
                self.note_cuts(*cuts);
                self.end_turn(*turn, text, calls, end.provider.as_ref());
            }
            Entry::TurnInterrupted {
                turn,
                text,
                calls,
                by,
                cuts,
                ..
            } => {
                self.check_calls(entry, *turn, calls)?;
                require(
                    entry,
                    self.inbox.contains(by),
                    "a turn is broken off only for a result that waits",
                )?;
                self.interrupter = Some(*by);
                // What the turn was to answer stays unanswered: it was not finished.
                self.note_cuts(*cuts);
                self.end_turn(*turn, text, calls, None);
            }
            Entry::TurnFailed { turn, .. } => {
                let open = self.open_turn.as_ref().filter(|open| open.turn == *turn && !open.ended);
                let open = open.ok_or_else(|| FoldError::new(entry, "the turn isn't running"))?;
                let dropped = open.calls.iter().all(|number| self.tasks[number].told == Told::Dropped);
                require(entry, dropped, "the calls of a failed turn are dropped first")?;
                self.close_turn();
            }
            Entry::Settled { result } => {
                let number = self.numbers.get(&result.task).copied();
                let number = number.ok_or_else(|| FoldError::new(entry, "the task was never accepted"))?;
                let record = self.record_mut(number, entry)?;
                require(entry, record.result.is_none(), "the task is settled already")?;
                require(entry, !record.own, "a call that the agent answers itself is no task")?;
                record.result = Some(Arc::clone(result));
                record.waits = Waits::Nothing;
                if record.told == Told::Ack {
                    self.inbox.push_back(number);
                }
                self.open_tasks.remove(&number);
            }
            Entry::Answered {
                turn,
                answers,
                eager,
                at,
            } => self.apply_answers(entry, *turn, answers, *eager, *at)?,
            Entry::Replaced { tasks, .. } => self.apply_replaced(entry, tasks)?,
            Entry::Delivered { tasks, text, .. } => {
                require(
                    entry,
                    self.open_turn.is_none(),
                    "a delivery never comes between a call and its answer",
                )?;
                require(entry, !tasks.is_empty(), "a delivery holds a result")?;
                for number in tasks {
                    require(
                        entry,
                        self.inbox.contains(number),
                        "only results in the inbox are delivered",
                    )?;
                }
                self.inbox.retain(|number| !tasks.contains(number));
                let mut results = Vec::with_capacity(tasks.len());
                for number in tasks {
                    let record = self.record_mut(*number, entry)?;
                    record.told = Told::Result;
                    results.extend(record.result.clone());
                }
                self.transcript.push(Message::Delivery {
                    tasks: tasks.clone(),
                    results,
                    text: text.clone(),
                });
                self.is_restart_untold = false;
                self.press();
            }
            Entry::Dropped { tasks, .. } => {
                for number in tasks {
                    let is_owed = self.record_mut(*number, entry)?.is_owed();
                    require(entry, is_owed, "only what the model was not told is dropped")?;
                }
                for number in tasks {
                    self.record_mut(*number, entry)?.told = Told::Dropped;
                }
                self.inbox.retain(|number| !tasks.contains(number));
            }
            Entry::CancelRequested { task, reason, .. } => {
                let record = self.record_mut(*task, entry)?;
                record.cancel.get_or_insert_with(|| reason.clone());
            }
            Entry::Resubmitted { task, attempt, .. } => {
                require(
                    entry,
                    self.open_tasks.contains(task),
                    "only a task that has not ended is submitted again",
                )?;
                let record = self.record_mut(*task, entry)?;
                require(entry, *attempt > record.attempt, "attempts are counted upwards")?;
                record.attempt = *attempt;
                record.waits = Waits::Nothing;
            }
            Entry::Deferred { task, .. } => {
                require(
                    entry,
                    self.open_tasks.contains(task),
                    "only a task that has not ended waits",
                )?;
                self.record_mut(*task, entry)?.waits = Waits::Completion;
            }
            Entry::Asked { task, request, .. } => {
                require(
                    entry,
                    self.open_tasks.contains(task),
                    "only a task that has not ended asks",
                )?;
                let record = self.record_mut(*task, entry)?;
                let is_left = record.waits == Waits::Completion;
                require(entry, !is_left, "a task that is completed from outside asks nothing")?;
                record.waits = request.clone().map_or(Waits::Nothing, Waits::Answer);
            }
            Entry::DeliverySet { task, policy, .. } => self.record_mut(*task, entry)?.delivery = Some(*policy),
            Entry::Grouped {
                group,
                tasks,
                join,
                until,
                ..
            } => {
                for number in tasks {
                    let is_task = !self.record_mut(*number, entry)?.own;
                    require(entry, is_task, "only tasks are joined to a group")?;
                }
                for known in &mut self.groups {
                    known.tasks.retain(|number| !tasks.contains(number));
                }
                self.groups
                    .retain(|known| known.name != *group && !known.tasks.is_empty());
                self.groups.push(TaskGroup {
                    name: Arc::clone(group),
                    tasks: tasks.clone(),
                    join: *join,
                    until: *until,
                });
            }
            Entry::Pruned { pruned, .. } => {
                let goes_on = self.pruned.allows(pruned, self.transcript.messages());
                require(entry, goes_on, "whole turns are pruned, and what is pruned stays so")?;
                self.pruned = pruned.clone();
            }
            Entry::Draining { until, .. } => {
                require(entry, self.life == Life::Open, "the session is closing already")?;
                self.draining = Some(*until);
            }
            Entry::Detached { tasks, .. } => {
                require(entry, self.life == Life::Closing, "tasks are let go of at the end")?;
                for number in tasks {
                    require(entry, self.open_tasks.contains(number), "only what runs is let go of")?;
                }
                for number in tasks {
                    self.record_mut(*number, entry)?.told = Told::Dropped;
                    self.open_tasks.remove(number);
                }
            }
            Entry::Closing { .. } => {
                require(entry, self.life == Life::Open, "the session is closing already")?;
                self.life = Life::Closing;
            }
            Entry::Closed { .. } => {
                require(
                    entry,
                    self.open_tasks.is_empty(),
                    "a session is closed when its tasks have ended",
                )?;
                require(
                    entry,
                    self.inbox.is_empty(),
                    "what is not delivered is dropped before the session is closed",
                )?;
                require(entry, self.open_turn.is_none(), "a turn is open")?;
                self.life = Life::Closed;
            }
        }
        Ok(())
    }

    /// What is said of the end of a turn must be true of the running one.
    fn check_calls(&self, entry: &Entry, turn: TurnNo, calls: &[TaskNo]) -> Result<(), FoldError> {
        let open = self.open_turn.as_ref().filter(|open| open.turn == turn && !open.ended);
        let open = open.ok_or_else(|| FoldError::new(entry, "the turn isn't running"))?;
        let mut accepted = calls.to_vec();
        accepted.sort_unstable();
        require(
            entry,
            accepted == open.calls,
            "a turn ends with the calls that were accepted",
        )
    }

    /// Keeps what the model said and called; its calls wait for their answers.
    fn end_turn(&mut self, turn: TurnNo, text: &str, calls: &[TaskNo], provider: Option<&Value>) {
        if !text.is_empty() || !calls.is_empty() || provider.is_some() {
            self.transcript.push(Message::Assistant {
                text: text.to_owned(),
                calls: calls.iter().map(|number| self.tasks[number].call.clone()).collect(),
                provider: provider.cloned(),
            });
        }
        if calls.is_empty() {
            self.close_turn();
        } else {
            self.open_turn = Some(OpenTurn {
                turn,
                calls: calls.to_vec(),
                ended: true,
            });
        }
    }

    fn apply_answers(
        &mut self,
        entry: &Entry,
        turn: TurnNo,
        answers: &[Given],
        eager: bool,
        at: Timestamp,
    ) -> Result<(), FoldError> {
        let open = self.open_turn.as_ref().filter(|open| open.turn == turn && open.ended);
        let open = open.ok_or_else(|| FoldError::new(entry, "the turn doesn't wait for answers"))?;
        let answered: Vec<TaskNo> = answers.iter().map(Given::number).collect();
        require(
            entry,
            answered == open.calls,
            "every call of a turn gets exactly one answer",
        )?;

        let mut message = Vec::with_capacity(answers.len());
        let mut reported = Vec::new();
        for given in answers {
            let record = self.record_mut(given.number(), entry)?;
            let is_report = matches!(given, Given::Report { .. });
            require(
                entry,
                record.own == is_report,
                "a report answers a call of the `task` tool, and nothing else does",
            )?;
            let content = match given {
                Given::Ack(number, status) => {
                    require(
                        entry,
                        record.result.is_none(),
                        "a call whose result is in is answered with it",
                    )?;
                    let arguments = record.call.arguments.clone();
                    AnswerContent::Ack(TaskAck::new(
                        record.task,
                        Some(*number),
                        Arc::clone(&record.call.name),
                        arguments,
                        *status,
                    ))
                }
                Given::Result(_) => {
                    let result = record.result.clone();
                    AnswerContent::Result(result.ok_or_else(|| FoldError::new(entry, "the task is not settled"))?)
                }
                Given::Report { content, tasks, .. } => {
                    reported.extend_from_slice(tasks);
                    AnswerContent::Report(content.clone())
                }
            };
            message.push(Answer::new(
                record.call.id.clone(),
                Arc::clone(&record.call.name),
                content,
            ));
        }
        for (place, number) in reported.iter().enumerate() {
            let waits = self.inbox.contains(number) && !reported[..place].contains(number);
            require(entry, waits, "only results in the inbox are handed over, and once")?;
        }
        let mut acknowledged = Vec::new();
        for given in answers {
            let record = self.record_mut(given.number(), entry)?;
            record.answered = Some(at);
            record.told = match given {
                Given::Ack(number, _) => {
                    acknowledged.push(*number);
                    Told::Ack
                }
                Given::Result(_) | Given::Report { .. } => Told::Result,
            };
        }
        for number in &reported {
            self.record_mut(*number, entry)?.told = Told::Result;
        }
        self.inbox.retain(|number| !reported.contains(number));
        let has_result = acknowledged.len() < answers.len();
        let has_report = answers.iter().any(|given| matches!(given, Given::Report { .. }));
        self.unseen = Some((self.transcript.messages().len(), acknowledged));
        self.transcript.push(Message::Answers(message));
        // After a turn that was broken off, what it was to answer is still there.
        self.unanswered |= eager || has_result;
        self.pressing |= eager || has_report;
        self.close_turn();
        Ok(())
    }

    /// Puts results where no turn has seen their acknowledgements.
    fn apply_replaced(&mut self, entry: &Entry, tasks: &[TaskNo]) -> Result<(), FoldError> {
        let Some((place, acknowledged)) = &self.unseen else {
            return Err(FoldError::new(entry, "the model has seen all acknowledgements"));
        };
        let mut results = Vec::with_capacity(tasks.len());
        for number in tasks {
            let is_unseen = acknowledged.contains(number) && self.inbox.contains(number);
            require(
                entry,
                is_unseen,
                "only a result that waits replaces its acknowledgement",
            )?;
            let record = &self.tasks[number];
            results.extend(record.result.clone().map(|result| (record.call.id.clone(), result)));
        }
        let message = self.transcript.messages().get(*place).map(|message| &**message);
        let Some(Message::Answers(answers)) = message else {
            return Err(FoldError::new(entry, "there are no answers"));
        };
        let mut answers = answers.clone();
        for (call, result) in results {
            for answer in answers.iter_mut().filter(|answer| answer.call == call) {
                answer.content = AnswerContent::Result(Arc::clone(&result));
            }
        }
        let place = *place;
        self.transcript.replace(place, Message::Answers(answers));
        if let Some((_, acknowledged)) = &mut self.unseen {
            acknowledged.retain(|number| !tasks.contains(number));
        }
        self.inbox.retain(|number| !tasks.contains(number));
        for number in tasks {
            self.record_mut(*number, entry)?.told = Told::Result;
        }
        self.press();
        Ok(())
    }

    fn note_cuts(&mut self, cuts: u32) {
        if cuts > 0 {
            self.forged = self.forged.saturating_add(cuts);
            self.forging = self.forging.saturating_add(1);
            self.is_to_be_corrected = true;
        }
    }

    fn close_turn(&mut self) {
        self.open_turn = None;
        if std::mem::take(&mut self.is_to_be_corrected) {
            self.transcript.push(Message::Note {
                text: FrameGuard::NOTICE.to_owned(),
            });
            // A model that goes on like this isn't asked for ever.
            if self.forging <= CORRECTIONS {
                self.press();
            }
        }
        for text in std::mem::take(&mut self.held_messages) {
            self.push_user(text);
        }
    }

    fn push_user(&mut self, text: String) {
        self.transcript.push(Message::User { text });
        self.press();
    }

    fn press(&mut self) {
        self.unanswered = true;
        self.pressing = true;
    }

    fn record_mut(&mut self, number: TaskNo, entry: &Entry) -> Result<&mut TaskRecord, FoldError> {
        self.tasks
            .get_mut(&number)
            .ok_or_else(|| FoldError::new(entry, "the task was never accepted"))
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

    /// How far what the model is shown of the transcript is pruned.
    #[must_use]
    pub fn pruned(&self) -> &Pruned {
        &self.pruned
    }

    /// Whether something stands in the transcript that the model has not answered.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.unanswered
    }

    /// Whether what the model has not answered is more than the results of its own calls.
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

    /// How many tool results the model has written itself in this session; they were cut out.
    #[must_use]
    pub fn forged(&self) -> u32 {
        self.forged
    }

    /// What the agent has done since the user's last message.
    #[must_use]
    pub fn run(&self) -> &RunTotals {
        &self.run
    }

    /// Whether the acknowledgement of a task is the last answer to its call, and no turn has seen it.
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

    /// Whether the session has been closed: nothing follows.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.life == Life::Closed
    }

    /// Whether the model is to be told with the next results that the session was taken up again.
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

impl Given {
    const fn number(&self) -> TaskNo {
        match self {
            Self::Ack(number, _) | Self::Result(number) | Self::Report { number, .. } => *number,
        }
    }
}

fn require(entry: &Entry, holds: bool, rule: &'static str) -> Result<(), FoldError> {
    if holds {
        Ok(())
    } else {
        Err(FoldError::new(entry, rule))
    }
}

/// An entry can't follow those before it.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldError {
    entry: Box<Entry>,
    rule: &'static str,
}

impl FoldError {
    fn new(entry: &Entry, rule: &'static str) -> Self {
        Self {
            entry: Box::new(entry.clone()),
            rule,
        }
    }

    /// The entry.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The rule that it would break.
    #[must_use]
    pub fn rule(&self) -> &str {
        self.rule
    }
}

impl fmt::Display for FoldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not what the entry says: this goes to logs, and it may be a secret.
        write!(f, "{}: {}", self.rule, self.entry.kind())
    }
}

impl std::error::Error for FoldError {}
