//! What a session is: the fold of its journal.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    fmt,
    sync::Arc,
};

use serde_json::Value;

use super::{DeliveryPolicy, TurnNo};
use crate::{
    AsyncTaskResult, TaskAck, TaskId, TaskNo, Timestamp, ToolCall,
    context::{Answer, AnswerContent, Message, Transcript},
    journal::{Entry, Given},
};

/// What a session is: the fold of its journal. [`apply`](Self::apply) is the only way to change it, and it refuses
/// entries that would break a promise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    opened: bool,
    nonce: String,
    transcript: Transcript,
    /// User messages that came while a turn was open: they follow its answers.
    held_messages: Vec<String>,
    tasks: BTreeMap<TaskNo, TaskRecord>,
    numbers: HashMap<TaskId, TaskNo>,
    /// Accepted and not settled: asked for at every step, however long the session is.
    open_tasks: BTreeSet<TaskNo>,
    /// Settled, acknowledged, and not delivered; in the order in which they settled.
    inbox: VecDeque<TaskNo>,
    open_turn: Option<OpenTurn>,
    last_turn: TurnNo,
    unanswered: bool,
    life: Life,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TaskRecord {
    pub(crate) task: TaskId,
    pub(crate) call: ToolCall,
    pub(crate) accepted: Timestamp,
    pub(crate) told: Told,
    pub(crate) result: Option<Arc<AsyncTaskResult>>,
    pub(crate) cancel: Option<String>,
    /// What the host said of its delivery; `None` means what the tool says.
    pub(crate) delivery: Option<DeliveryPolicy>,
}

/// What the model has been told of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OpenTurn {
    pub(crate) turn: TurnNo,
    /// Accepted while the turn runs; once it has ended, its calls in order.
    pub(crate) calls: Vec<TaskNo>,
    pub(crate) ended: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Life {
    #[default]
    Open,
    Closing,
    Closed,
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
        match entry {
            Entry::Opened { nonce, .. } => {
                require(entry, !self.opened, "the session is open already")?;
                self.opened = true;
                self.nonce.clone_from(nonce);
            }
            Entry::UserMessage { text, .. } => {
                if self.open_turn.is_some() {
                    self.held_messages.push(text.clone());
                } else {
                    self.push_user(text.clone());
                }
            }
            Entry::TurnStarted { turn, .. } => {
                require(entry, self.open_turn.is_none(), "a turn is open already")?;
                require(entry, *turn == self.last_turn.next(), "turns are numbered without gaps")?;
                self.last_turn = *turn;
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
                at,
            } => {
                require(entry, *number == self.next_number(), "tasks are numbered without gaps")?;
                require(entry, !self.numbers.contains_key(task), "the task is there already")?;
                let open = self.open_turn.as_mut().filter(|open| open.turn == *turn && !open.ended);
                let open = open.ok_or_else(|| FoldError::new(entry, "the turn of the call isn't running"))?;
                let is_repeated = open.calls.iter().any(|known| self.tasks[known].call.id == call.id);
                require(entry, !is_repeated, "the calls of a turn have different ids")?;
                open.calls.push(*number);
                self.open_tasks.insert(*number);
                self.numbers.insert(*task, *number);
                self.tasks.insert(
                    *number,
                    TaskRecord {
                        task: *task,
                        call: call.clone(),
                        accepted: *at,
                        told: Told::Nothing,
                        result: None,
                        cancel: None,
                        delivery: None,
                    },
                );
            }
            Entry::TurnEnded {
                turn, text, calls, end, ..
            } => {
                self.check_calls(entry, *turn, calls)?;
                self.unanswered = false;
                self.end_turn(*turn, text, calls, end.provider.as_ref());
            }
            Entry::TurnInterrupted {
                turn, text, calls, by, ..
            } => {
                self.check_calls(entry, *turn, calls)?;
                require(
                    entry,
                    self.inbox.contains(by),
                    "a turn is broken off only for a result that waits",
                )?;
                // What the turn was to answer stays unanswered: it was not finished.
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
                record.result = Some(Arc::clone(result));
                if record.told == Told::Ack {
                    self.inbox.push_back(number);
                }
                self.open_tasks.remove(&number);
            }
            Entry::Answered {
                turn, answers, eager, ..
            } => self.apply_answers(entry, *turn, answers, *eager)?,
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
                for number in tasks {
                    self.record_mut(*number, entry)?.told = Told::Result;
                }
                self.transcript.push(Message::Delivery {
                    tasks: tasks.clone(),
                    text: text.clone(),
                });
                self.unanswered = true;
            }
            Entry::Dropped { tasks, .. } => {
                for number in tasks {
                    let told = self.record_mut(*number, entry)?.told;
                    let open = matches!(told, Told::Nothing | Told::Ack);
                    require(entry, open, "only what the model was not told is dropped")?;
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
            Entry::DeliverySet { task, policy, .. } => self.record_mut(*task, entry)?.delivery = Some(*policy),
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

    fn apply_answers(&mut self, entry: &Entry, turn: TurnNo, answers: &[Given], eager: bool) -> Result<(), FoldError> {
        let open = self.open_turn.as_ref().filter(|open| open.turn == turn && open.ended);
        let open = open.ok_or_else(|| FoldError::new(entry, "the turn doesn't wait for answers"))?;
        let answered: Vec<TaskNo> = answers.iter().map(Given::number).collect();
        require(
            entry,
            answered == open.calls,
            "every call of a turn gets exactly one answer",
        )?;

        let mut message = Vec::with_capacity(answers.len());
        for given in answers {
            let record = self.record_mut(given.number(), entry)?;
            let content = match given {
                Given::Ack(number, status) => {
                    require(
                        entry,
                        record.result.is_none(),
                        "a call whose result is in is answered with it",
                    )?;
                    let arguments = Arc::clone(&record.call.arguments);
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
            };
            message.push(Answer::new(
                record.call.id.clone(),
                Arc::clone(&record.call.name),
                content,
            ));
        }
        for given in answers {
            self.record_mut(given.number(), entry)?.told = match given {
                Given::Ack(..) => Told::Ack,
                Given::Result(_) => Told::Result,
            };
        }
        let has_result = answers.iter().any(|given| matches!(given, Given::Result(_)));
        self.transcript.push(Message::Answers(message));
        // After a turn that was broken off, what it was to answer is still there.
        self.unanswered |= eager || has_result;
        self.close_turn();
        Ok(())
    }

    fn close_turn(&mut self) {
        self.open_turn = None;
        for text in std::mem::take(&mut self.held_messages) {
            self.push_user(text);
        }
    }

    fn push_user(&mut self, text: String) {
        self.transcript.push(Message::User { text });
        self.unanswered = true;
    }

    fn record_mut(&mut self, number: TaskNo, entry: &Entry) -> Result<&mut TaskRecord, FoldError> {
        self.tasks
            .get_mut(&number)
            .ok_or_else(|| FoldError::new(entry, "the task was never accepted"))
    }

    /// The conversation as the model is shown it.
    #[must_use]
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Whether something stands in the transcript that the model has not answered.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.unanswered
    }

    /// The tasks that have not ended.
    pub fn open_tasks(&self) -> impl Iterator<Item = TaskNo> {
        self.open_tasks.iter().copied()
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
            Self::Ack(number, _) | Self::Result(number) => *number,
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
        write!(f, "{}: {:?}", self.rule, self.entry)
    }
}

impl std::error::Error for FoldError {}
