//! The promises, checked by somebody who reads the journal and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fmt,
    sync::Arc,
};

use serde_json::Value;

use crate::{
    id::{TaskId, TaskNo},
    journal::{CallAnswer, Entry, Seq},
    task::{AsyncTaskResult, TurnNo},
    tool::CallId,
};

/// Checks that a journal keeps the promises of a session. The journal may end anywhere; if it ends with [`Entry::Closed`], nothing may
/// be left open.
///
/// - Turns are numbered without gaps and never overlap. A turn ends with the calls that were accepted in it, and each of them gets
///   one answer before the next turn starts.
/// - Tasks are numbered without gaps. A task is accepted before anything else is said of it, and settled once.
/// - A result is told once, after it was settled: as an answer, in place of an acknowledgement that no turn has seen, in a report of the
///   `task` tool, or in a delivery. Or it is dropped, for a reason, which after an acknowledgement happens only at the session's end.
/// - The text of a delivery holds the results it says it holds, in one frame.
/// - What was pruned stays pruned.
/// - A turn that is broken off for a result is followed by one that has the result.
/// - A session that closes takes in nothing new, and is closed when all its tasks have ended and are told, dropped or let go of.
///
/// It shares no code with [`Ledger`](crate::agent::Ledger), which keeps the same rules for the live agent: a mistake would have to be made twice.
///
/// # Errors
///
/// [`PromiseError`]: the first entry that breaks a promise.
///
/// ```
/// use async_tool_runtime::{journal::Entry, task::{Timestamp, TurnNo}, testing::check_journal};
///
/// let at = Timestamp::from_millis(0);
/// let mut journal = vec![Entry::Opened { nonce: "n".into(), works_for: None, at }, Entry::TurnStarted { turn: TurnNo::new(1), at }];
/// check_journal(&journal)?;
///
/// journal.push(Entry::TurnStarted { turn: TurnNo::new(2), at });
/// let violation = check_journal(&journal).unwrap_err();
/// assert_eq!(violation.seq().as_u64(), 3);
/// assert!(violation.to_string().contains("turn 1 has not come to its end"));
/// # Ok::<(), async_tool_runtime::testing::PromiseError>(())
/// ```
pub fn check_journal(journal: &[Entry]) -> Result<(), PromiseError> {
    let mut books = Books::default();
    for (place, entry) in journal.iter().enumerate() {
        books.enter(entry).map_err(|promise| PromiseError {
            seq: Seq::new(place as u64 + 1),
            promise,
            entry: Box::new(entry.clone()),
        })?;
    }
    Ok(())
}

/// An entry of a journal breaks a promise.
#[derive(Clone, Debug, PartialEq)]
pub struct PromiseError {
    seq: Seq,
    promise: String,
    entry: Box<Entry>,
}

impl PromiseError {
    /// The place of the entry.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// Promise that the entry breaks.
    #[must_use]
    pub fn promise(&self) -> &str {
        &self.promise
    }

    /// The entry.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }
}

impl fmt::Display for PromiseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {}: {}: {:?}", self.seq.as_u64(), self.promise, self.entry)
    }
}

impl Error for PromiseError {}

/// State of the session, as the journal tells it.
#[derive(Default)]
struct Books {
    nonce: Option<String>,
    tasks: BTreeMap<TaskNo, TaskAccount>,
    ids: BTreeMap<TaskId, TaskNo>,
    last_turn: u32,
    turn: TurnAccount,
    /// Of its calls so far.
    call_ids: BTreeSet<CallId>,
    /// Acknowledged in the last answers, and no turn has started since.
    unseen: BTreeSet<TaskNo>,
    /// A turn was broken off for this result, and it has not been told.
    interrupter: Option<TaskNo>,
    /// Number of collapsed and of dropped messages.
    pruned: (usize, usize),
    is_draining: bool,
    is_closing: bool,
    is_closed: bool,
}

#[derive(Default)]
struct TaskAccount {
    own: bool,
    attempt: u32,
    result: Option<Arc<AsyncTaskResult>>,
    /// The model was told that a result will come.
    is_promised: bool,
    /// Told, dropped or let go of: how.
    end: Option<&'static str>,
    is_detached: bool,
    /// It is completed from outside.
    is_left: bool,
}

#[derive(Default)]
enum TurnAccount {
    #[default]
    None,
    Runs(TurnNo, Vec<TaskNo>),
    /// Its calls wait for their answers.
    Ended(TurnNo, Vec<TaskNo>),
}

type Promise = Result<(), String>;

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Promise {
    if holds { Ok(()) } else { Err(otherwise()) }
}

impl Books {
    fn enter(&mut self, entry: &Entry) -> Promise {
        ensure(!self.is_closed, || {
            "something follows the end of the session".to_owned()
        })?;
        ensure(self.nonce.is_some() != matches!(entry, Entry::Opened { .. }), || {
            "a session is opened once, and before everything else".to_owned()
        })?;
        match entry {
            Entry::Opened { nonce, .. } => self.nonce = Some(nonce.clone()),
            Entry::Resumed { .. } => {}
            Entry::UserMessage { .. } => ensure(!self.is_draining && !self.is_closing, || {
                "a session that comes to its end takes no messages".to_owned()
            })?,
            Entry::TurnStarted { turn, .. } => self.start(*turn)?,
            Entry::Accepted { .. } => self.accept(entry)?,
            Entry::Resubmitted { task, attempt, .. } => {
                let account = self.account(*task)?;
                ensure(account.result.is_none() && *attempt > account.attempt, || {
                    format!("{task} is submitted again though it has ended, or as an attempt that there has been")
                })?;
                account.attempt = *attempt;
                account.is_left = false;
            }
            Entry::Deferred { task, .. } => {
                let account = self.account(*task)?;
                ensure(account.result.is_none(), || {
                    format!("{task} is left to others, and has ended")
                })?;
                account.is_left = true;
            }
            Entry::Asked { task, .. } => {
                let account = self.account(*task)?;
                ensure(account.result.is_none() && !account.is_left, || {
                    format!("{task} asks, and has ended or is left to others")
                })?;
            }
            Entry::TurnEnded { turn, calls, .. } => self.end(*turn, calls)?,
            Entry::TurnInterrupted { turn, calls, by, .. } => {
                self.end(*turn, calls)?;
                let account = self.account(*by)?;
                ensure(
                    account.result.is_some() && account.is_promised && account.end.is_none(),
                    || format!("a turn is broken off for {by}, whose result doesn't wait"),
                )?;
                self.interrupter = Some(*by);
            }
            Entry::TurnFailed { turn, .. } => {
                let TurnAccount::Runs(running, calls) = std::mem::take(&mut self.turn) else {
                    return Err(format!("{turn} fails, and doesn't run"));
                };
                ensure(running == *turn, || format!("{turn} fails while {running} runs"))?;
                for number in calls {
                    let account = self.account(number)?;
                    ensure(account.end.is_some(), || {
                        format!("nothing is kept of {turn}, and nobody says what becomes of its call {number}")
                    })?;
                }
            }
            Entry::Settled { result } => self.settle(result)?,
            Entry::Answered { turn, answers, .. } => self.answer(*turn, answers)?,
            Entry::Replaced { tasks, .. } => {
                for number in tasks {
                    ensure(self.unseen.remove(number), || {
                        format!("{number} takes the place of an acknowledgement that the model has seen, or of none")
                    })?;
                    self.tell(*number, "told in the place of its acknowledgement")?;
                }
            }
            Entry::Delivered { tasks, text, .. } => {
                ensure(matches!(self.turn, TurnAccount::None), || {
                    "a delivery comes between a call and its answer".to_owned()
                })?;
                ensure(!self.is_closing && !tasks.is_empty(), || {
                    "a delivery is empty, or comes after the end".to_owned()
                })?;
                for number in tasks {
                    let is_promised = self.account(*number)?.is_promised;
                    ensure(is_promised, || {
                        format!("{number} is delivered before its call was answered")
                    })?;
                    self.tell(*number, "delivered")?;
                    self.unseen.remove(number);
                }
                self.check_frame(tasks, text)?;
            }
            Entry::Dropped { tasks, reason, .. } => {
                ensure(!reason.is_empty(), || "results are dropped for no reason".to_owned())?;
                let is_closing = self.is_closing;
                for number in tasks {
                    let is_promised = self.account(*number)?.is_promised;
                    ensure(is_closing || !is_promised, || {
                        format!("the model was promised {number}, and the session goes on")
                    })?;
                    self.close_account(*number, "dropped")?;
                }
            }
            Entry::CancelRequested { task, .. } | Entry::DeliverySet { task, .. } => {
                self.account(*task)?;
            }
            Entry::Grouped { tasks, .. } => {
                for number in tasks {
                    let is_own = self.account(*number)?.own;
                    ensure(!is_own, || format!("{number} is in a group, and is no task"))?;
                }
            }
            Entry::Pruned { pruned, .. } => {
                let (collapsed, dropped) = self.pruned;
                ensure(
                    collapsed <= pruned.collapsed && dropped <= pruned.dropped && pruned.dropped <= pruned.collapsed,
                    || "what was pruned is shown again".to_owned(),
                )?;
                self.pruned = (pruned.collapsed, pruned.dropped);
            }
            Entry::Draining { .. } => {
                ensure(!self.is_closing, || "a session that closes drains no more".to_owned())?;
                self.is_draining = true;
            }
            Entry::Detached { tasks, .. } => {
                ensure(self.is_closing, || "tasks are let go of before the end".to_owned())?;
                for number in tasks {
                    let account = self.account(*number)?;
                    ensure(account.result.is_none() && !account.is_detached, || {
                        format!("{number} is let go of, and doesn't run")
                    })?;
                    account.is_detached = true;
                    account.end.get_or_insert("let go of");
                }
            }
            Entry::Closing { .. } => {
                ensure(!self.is_closing, || "a session closes twice".to_owned())?;
                ensure(matches!(self.turn, TurnAccount::None), || {
                    "a session closes in the middle of a turn".to_owned()
                })?;
                self.is_closing = true;
            }
            Entry::Closed { .. } => self.close()?,
        }
        Ok(())
    }

    fn start(&mut self, turn: TurnNo) -> Promise {
        match &self.turn {
            TurnAccount::None => {}
            TurnAccount::Runs(open, _) => return Err(format!("{turn} starts, and {open} has not come to its end")),
            TurnAccount::Ended(open, _) => return Err(format!("{turn} starts, and calls of {open} have no answer")),
        }
        ensure(!self.is_closing, || format!("{turn} starts after the end"))?;
        ensure(turn.as_u32() == self.last_turn + 1, || {
            format!("{turn} follows turn {}", self.last_turn)
        })?;
        if let Some(by) = self.interrupter {
            return Err(format!("a turn was broken off for {by}, and {turn} starts without it"));
        }
        self.last_turn = turn.as_u32();
        self.call_ids.clear();
        self.turn = TurnAccount::Runs(turn, Vec::new());
        self.unseen.clear();
        Ok(())
    }

    fn accept(&mut self, entry: &Entry) -> Promise {
        let Entry::Accepted {
            turn,
            task,
            number,
            awaits,
            own,
            call,
            ..
        } = entry
        else {
            return Ok(());
        };
        for awaited in awaits {
            let is_own = self.account(awaited.task)?.own;
            ensure(!is_own, || {
                format!("{number} waits for {}, which is no task", awaited.task)
            })?;
        }
        ensure(number.as_u32() as usize == self.tasks.len() + 1, || {
            format!("{number} is the number of task {}", self.tasks.len() + 1)
        })?;
        match &mut self.turn {
            TurnAccount::Runs(running, calls) if running == turn => {
                ensure(self.call_ids.insert(call.id.clone()), || {
                    format!("two calls of {turn} have the id {}", call.id)
                })?;
                calls.push(*number);
            }
            _ => return Err(format!("{number} is a call of {turn}, which doesn't run")),
        }
        ensure(self.ids.insert(*task, *number).is_none(), || {
            format!("{number} has the id of another task")
        })?;
        let account = TaskAccount {
            own: *own,
            attempt: 1,
            ..TaskAccount::default()
        };
        ensure(self.tasks.insert(*number, account).is_none(), || {
            format!("there are two tasks {number}")
        })
    }

    fn end(&mut self, turn: TurnNo, calls: &[TaskNo]) -> Promise {
        let TurnAccount::Runs(running, accepted) = std::mem::take(&mut self.turn) else {
            return Err(format!("{turn} ends, and doesn't run"));
        };
        let ended: BTreeSet<TaskNo> = calls.iter().copied().collect();
        let is_same =
            running == turn && ended.len() == calls.len() && accepted.into_iter().collect::<BTreeSet<_>>() == ended;
        ensure(is_same, || {
            format!("{turn} ends with other calls than were accepted in it")
        })?;
        if !calls.is_empty() {
            self.turn = TurnAccount::Ended(turn, calls.to_vec());
        }
        Ok(())
    }

    fn settle(&mut self, result: &Arc<AsyncTaskResult>) -> Promise {
        let number = self.ids.get(&result.task).copied();
        let number = number.ok_or_else(|| format!("the task {} was never accepted", result.task))?;
        ensure(result.number.is_none_or(|known| known == number), || {
            format!("the record of {number} has the number of another task")
        })?;
        let account = self.account(number)?;
        ensure(!account.own, || format!("{number} is settled, and is no task"))?;
        ensure(account.result.is_none(), || format!("{number} is settled twice"))?;
        ensure(!account.is_detached, || {
            format!("{number} is settled, and was let go of")
        })?;
        account.result = Some(Arc::clone(result));
        Ok(())
    }

    fn answer(&mut self, turn: TurnNo, answers: &[CallAnswer]) -> Promise {
        let TurnAccount::Ended(ended, calls) = std::mem::take(&mut self.turn) else {
            return Err(format!("calls of {turn} are answered, and it waits for no answers"));
        };
        let answered: Vec<TaskNo> = answers
            .iter()
            .map(|given| match given {
                CallAnswer::Ack(number, _) | CallAnswer::Result(number) | CallAnswer::Report { number, .. } => *number,
            })
            .collect();
        ensure(ended == turn && answered == calls, || {
            format!("every call of {ended} gets one answer, in order")
        })?;
        self.unseen.clear();
        for given in answers {
            match given {
                CallAnswer::Ack(number, status) => {
                    let account = self.account(*number)?;
                    ensure(
                        !account.own && account.result.is_none() && !status.is_terminal(),
                        || format!("{number} is acknowledged, and has ended"),
                    )?;
                    account.is_promised = true;
                    self.unseen.insert(*number);
                }
                CallAnswer::Result(number) => self.tell(*number, "told as the answer to its call")?,
                CallAnswer::Report { number, tasks, .. } => {
                    let is_own = self.account(*number)?.own;
                    ensure(is_own, || format!("{number} is answered with a report, and is a task"))?;
                    self.close_account(*number, "answered")?;
                    for task in tasks {
                        let is_promised = self.account(*task)?.is_promised;
                        ensure(is_promised, || {
                            format!("{task} is handed over before its call was answered")
                        })?;
                        self.tell(*task, "handed over by the `task` tool")?;
                    }
                }
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Promise {
        ensure(self.is_closing, || {
            "a session is over that has not been told to close".to_owned()
        })?;
        for (number, account) in &self.tasks {
            ensure(account.own || account.result.is_some() || account.is_detached, || {
                format!("the session is over, and {number} has not ended")
            })?;
            ensure(account.end.is_some(), || {
                format!("the session is over, and the result of {number} was neither told nor dropped")
            })?;
        }
        self.is_closed = true;
        Ok(())
    }

    /// The model is told a result.
    fn tell(&mut self, number: TaskNo, how: &'static str) -> Promise {
        let account = self.account(number)?;
        ensure(account.result.is_some(), || {
            format!("{number} is {how}, and there is no result")
        })?;
        self.interrupter.take_if(|by| *by == number);
        self.close_account(number, how)
    }

    fn close_account(&mut self, number: TaskNo, how: &'static str) -> Promise {
        let account = self.account(number)?;
        if let Some(before) = account.end.replace(how) {
            return Err(format!("{number} is {how}, and was {before} before"));
        }
        Ok(())
    }

    /// The model reads the results that the entry names, and no others.
    fn check_frame(&self, tasks: &[TaskNo], text: &str) -> Promise {
        let tag = format!("tool_results_{}>", self.nonce.as_deref().unwrap_or_default());
        let (open, close) = (format!("\n<{tag}\n"), format!("\n</{tag}"));
        let framed = text
            .split_once(open.as_str())
            .and_then(|(_, rest)| rest.strip_suffix(close.as_str()));
        let framed = framed.ok_or_else(|| "the text of a delivery has no frame of its session".to_owned())?;
        ensure(!framed.contains('<') && !framed.contains('>'), || {
            "the text of a delivery has a mark in its frame".to_owned()
        })?;
        let lines: Vec<&str> = framed.lines().collect();
        ensure(lines.len() == tasks.len(), || {
            format!("a delivery of {} results has the text of {}", tasks.len(), lines.len())
        })?;
        for (number, line) in tasks.iter().zip(lines) {
            let told: Value =
                serde_json::from_str(line).map_err(|error| format!("{number} is told as no JSON: {error}"))?;
            let is_it = told["task"].as_str().is_some_and(|name| name == number.to_string());
            ensure(is_it, || format!("{number} is told as {}", told["task"]))?;
            let value = self.tasks.get(number).and_then(|account| account.result.as_ref());
            let value = value
                .filter(|result| result.preview.is_none())
                .and_then(|result| result.outcome.value());
            // Read back once like what was told: a fraction may change in its last digit on the way through text.
            let is_told = |value: &Value| {
                serde_json::from_str(&value.to_string()).is_ok_and(|value: Value| told["result"] == value)
            };
            ensure(value.is_none_or(is_told), || {
                format!("{number} is told another result than it has")
            })?;
        }
        Ok(())
    }

    fn account(&mut self, number: TaskNo) -> Result<&mut TaskAccount, String> {
        self.tasks
            .get_mut(&number)
            .ok_or_else(|| format!("nobody has accepted {number}"))
    }
}
