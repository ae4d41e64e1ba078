//! Independent check of the promises, from the journal alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fmt,
    sync::Arc,
};

use serde_json::Value;

use crate::{
    clock::Timestamp,
    context::Pruned,
    id::{TaskId, TaskNo},
    journal::{CallAnswer, Entry, InterruptCause, Seq, Withdrawal},
    task::{AsyncTaskResult, TurnNo},
    tool::{CallId, DeliveryPolicy},
};

/// Checks that a journal keeps the promises of a session.
///
/// The journal may end anywhere. If it ends with [`Entry::Closed`], nothing may be left open.
///
/// - The entries have no [format](super::Format) that only a newer program can read.
/// - Turns are numbered without gaps and never overlap. A turn ends with the calls that were accepted in it. Each call gets one answer
///   before the next turn starts.
/// - Tasks are numbered without gaps. A task is accepted before any other entry names it, and settled once.
/// - A result is told once, after it was settled: as an answer, in a report of the `task` tool, in a delivery, or in place of an
///   acknowledgement that no turn has seen.
/// - A call that repeats another one names an open or completed task of its tool. It is no task, and is answered with a report.
/// - A result that is not told is dropped with a reason. After an acknowledgement, that happens only at the session's end.
/// - The text of a delivery holds exactly the results that its entry names, in one frame.
/// - Pruned messages stay pruned, and cut messages stay cut.
/// - A turn that was interrupted for a result or a message is followed by a turn that has it.
/// - After the host has halted the agent, no turn starts before a message, a result, or a change of a delivery policy comes.
/// - A model is asked again for ungrounded values at most once for each user message.
/// - A turn is withdrawn only before it has a call, and only for a result or a message that waits.
/// - A closing session accepts nothing new. It is closed when all its tasks have ended or are detached, and all results are told
///   or dropped.
///
/// It shares no code with [`Ledger`](crate::agent::Ledger), which keeps the same rules for the live agent. So a bug would have to be made
/// twice to stay unseen.
///
/// # Errors
///
/// [`PromiseError`]: the first entry that breaks a promise.
///
/// ```
/// use async_tool_runtime::{journal::{Entry, Format, check_journal}, task::{Timestamp, TurnCause, TurnNo}};
///
/// let at = Timestamp::from_millis(0);
/// let mut journal = vec![Entry::Opened { format: Format::CURRENT, nonce: "n".into(), works_for: None, at }, Entry::TurnStarted { turn: TurnNo::new(1), cause: TurnCause::User, at }];
/// check_journal(&journal)?;
///
/// journal.push(Entry::TurnStarted { turn: TurnNo::new(2), cause: TurnCause::User, at });
/// let violation = check_journal(&journal).unwrap_err();
/// assert_eq!(violation.seq().as_u64(), 3);
/// assert!(violation.to_string().contains("turn 2 starts before turn 1 has ended"));
/// # Ok::<(), async_tool_runtime::journal::PromiseError>(())
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

/// Broken promise: the first entry of a journal that [`check_journal`] refuses.
///
/// ```
/// use async_tool_runtime::{journal::{Entry, check_journal}, task::Timestamp};
///
/// let closed = Entry::Closed { at: Timestamp::from_millis(0) };
/// let error = check_journal(&[closed.clone()]).unwrap_err();
/// assert_eq!(error.seq().as_u64(), 1);
/// assert_eq!(error.promise(), "a session starts with one `opened` entry");
/// assert_eq!(error.entry(), &closed);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PromiseError {
    seq: Seq,
    promise: String,
    entry: Box<Entry>,
}

impl PromiseError {
    /// Position of the entry.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// Description of the broken promise, for operators.
    #[must_use]
    pub fn promise(&self) -> &str {
        &self.promise
    }

    /// The entry that breaks the promise.
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

/// State of the session so far.
#[derive(Default)]
struct Books {
    nonce: Option<String>,
    tasks: BTreeMap<TaskNo, TaskAccount>,
    ids: BTreeMap<TaskId, TaskNo>,
    last_turn: u32,
    turn: TurnAccount,
    /// Ids of the turn's calls so far.
    call_ids: BTreeSet<CallId>,
    /// Tasks acknowledged in the last answers, which no turn has seen yet.
    unseen: BTreeSet<TaskNo>,
    /// Tasks that no turn had seen when the running turn started, and no turn has ended since.
    unseen_before: BTreeSet<TaskNo>,
    /// True if the model was asked again for ungrounded values since the last user message.
    has_asked_again: bool,
    /// True if a user message has come since the running turn started.
    has_message: bool,
    /// Task whose result interrupted a turn and has not been told yet.
    interrupter: Option<TaskNo>,
    /// Number of messages that came while the turn was open.
    held: usize,
    rest: Rest,
    /// Number of collapsed and of dropped messages.
    pruned: (usize, usize),
    /// Largest size of a part that is shown of each cut message.
    cuts: BTreeMap<usize, usize>,
    is_draining: bool,
    is_closing: bool,
    is_closed: bool,
}

struct TaskAccount {
    /// True for a call that is no task.
    own: bool,
    tool: Arc<str>,
    attempt: u32,
    result: Option<Arc<AsyncTaskResult>>,
    /// True once the call was acknowledged, so the model expects a result.
    is_promised: bool,
    /// The way in which the result was told, dropped or detached.
    end: Option<&'static str>,
    is_detached: bool,
    /// True while the task waits to be completed from outside.
    is_left: bool,
    /// Deadline of that completion.
    left_until: Option<Timestamp>,
}

#[derive(Default)]
enum TurnAccount {
    #[default]
    None,
    Runs(TurnNo, Vec<TaskNo>),
    /// Ended with calls that have no answers yet.
    Ended(TurnNo, Vec<TaskNo>),
}

/// Rest of an agent that the host has told to stop.
#[derive(Default)]
enum Rest {
    #[default]
    None,
    /// The host or a message ended a turn, and no message waits for the next one: a halt or a message follows.
    Due,
    /// The agent is halted, and nothing has come since.
    Halted,
}

type Promise = Result<(), String>;

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Promise {
    if holds { Ok(()) } else { Err(otherwise()) }
}

impl Books {
    fn enter(&mut self, entry: &Entry) -> Promise {
        ensure(!self.is_closed, || "an entry follows the end of the session".to_owned())?;
        ensure(self.nonce.is_some() != matches!(entry, Entry::Opened { .. }), || {
            "a session starts with one `opened` entry".to_owned()
        })?;
        match entry {
            Entry::Opened { format, nonce, .. } => {
                format.check().map_err(|newer| newer.to_string())?;
                self.nonce = Some(nonce.clone());
            }
            Entry::Resumed { format, .. } => {
                format.check().map_err(|newer| newer.to_string())?;
                // The journal was cut off in the middle of an append.
                self.rest_was_due();
            }
            Entry::UserMessage { .. } => {
                self.has_message = true;
                self.has_asked_again = false;
                ensure(!self.is_draining && !self.is_closing, || {
                    "a message is taken by a session that drains or closes".to_owned()
                })?;
                self.rest = Rest::None;
                if !matches!(self.turn, TurnAccount::None) {
                    self.held += 1;
                }
            }
            Entry::TurnStarted { turn, .. } => self.start(*turn)?,
            Entry::Accepted { .. } => self.accept(entry)?,
            Entry::Resubmitted { task, attempt, .. } => {
                let account = self.account(*task)?;
                ensure(account.result.is_none() && *attempt > account.attempt, || {
                    format!("{task} is submitted again after its end, or with an attempt number that was used before")
                })?;
                account.attempt = *attempt;
                account.is_left = false;
                account.left_until = None;
            }
            Entry::Deferred { task, until, .. } => {
                let account = self.account(*task)?;
                ensure(account.result.is_none(), || format!("{task} is deferred after its end"))?;
                let is_put_off = match (account.left_until, until) {
                    (None, _) => false,
                    (Some(known), until) => until.is_none_or(|until| known <= until),
                };
                ensure(!is_put_off, || format!("the deadline of {task} is put off"))?;
                account.is_left = true;
                account.left_until = *until;
            }
            Entry::Asked { task, .. } => {
                let account = self.account(*task)?;
                ensure(account.result.is_none() && !account.is_left, || {
                    format!("{task} asks for input after it ended or was deferred")
                })?;
            }
            Entry::Checkpointed { task, .. } => {
                let account = self.account(*task)?;
                ensure(account.result.is_none() && !account.is_detached && !account.own, || {
                    format!("{task} saves a checkpoint after it ended, or has no function")
                })?;
            }
            Entry::TurnEnded {
                turn,
                calls,
                ungrounded,
                asks_again,
                ..
            } => {
                ensure(
                    !asks_again || (!self.has_asked_again && calls.is_empty() && !ungrounded.is_empty()),
                    || {
                        format!(
                            "the model is asked again after {turn}, which has calls or no ungrounded value, or a second time"
                        )
                    },
                )?;
                self.has_asked_again |= asks_again;
                self.end(*turn, calls)?;
            }
            Entry::TurnInterrupted { turn, calls, cause, .. } => {
                let held = self.held;
                self.end(*turn, calls)?;
                match cause {
                    InterruptCause::Result { task } => {
                        let account = self.account(*task)?;
                        ensure(
                            account.result.is_some() && account.is_promised && account.end.is_none(),
                            || format!("a turn is interrupted for {task}, whose result doesn't wait for delivery"),
                        )?;
                        self.interrupter = Some(*task);
                    }
                    InterruptCause::Host if held > 0 => {}
                    InterruptCause::Host | InterruptCause::Message => self.rest = Rest::Due,
                }
            }
            Entry::Halted { .. } => {
                ensure(matches!(self.turn, TurnAccount::None) && !self.is_closing, || {
                    "an agent is halted in the middle of a turn, or while its session closes".to_owned()
                })?;
                self.rest = Rest::Halted;
            }
            Entry::TurnWithdrawn { turn, cause, .. } => self.withdraw(*turn, *cause)?,
            Entry::TurnFailed { turn, .. } => {
                let TurnAccount::Runs(running, calls) = std::mem::take(&mut self.turn) else {
                    return Err(format!("{turn} fails, but isn't running"));
                };
                ensure(running == *turn, || format!("{turn} fails while {running} runs"))?;
                self.held = 0;
                for number in calls {
                    let account = self.account(number)?;
                    ensure(account.end.is_some(), || {
                        format!("{turn} fails, and its call {number} was not dropped before")
                    })?;
                }
            }
            Entry::Settled { result } => self.settle(result)?,
            Entry::Answered { turn, answers, .. } => self.answer(*turn, answers)?,
            Entry::Replaced { tasks, .. } => {
                for number in tasks {
                    ensure(self.unseen.remove(number), || {
                        format!("{number} replaces an acknowledgement that the model has seen, or that doesn't exist")
                    })?;
                    self.tell(*number, "told in place of its acknowledgement")?;
                }
            }
            Entry::Delivered { tasks, text, .. } => {
                ensure(matches!(self.turn, TurnAccount::None), || {
                    "a delivery comes between a call and its answer".to_owned()
                })?;
                ensure(!self.is_closing && !tasks.is_empty(), || {
                    "a delivery has no results, or the session is closing".to_owned()
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
                ensure(!reason.is_empty(), || "results are dropped without a reason".to_owned())?;
                let is_closing = self.is_closing;
                for number in tasks {
                    let is_promised = self.account(*number)?.is_promised;
                    ensure(is_closing || !is_promised, || {
                        format!("{number} is dropped after its acknowledgement, but the session isn't closing")
                    })?;
                    self.close_account(*number, "dropped")?;
                }
            }
            Entry::CancelRequested { task, .. } => {
                self.account(*task)?;
            }
            Entry::DeliverySet { task, policy, .. } => {
                self.account(*task)?;
                if *policy != DeliveryPolicy::Silent {
                    self.rest_is_over();
                }
            }
            Entry::Grouped { tasks, .. } => {
                for number in tasks {
                    let is_own = self.account(*number)?.own;
                    ensure(!is_own, || {
                        format!("{number} is in a group, but is a call of the `task` tool")
                    })?;
                }
            }
            Entry::Pruned { pruned, .. } => {
                let (collapsed, dropped) = self.pruned;
                ensure(
                    collapsed <= pruned.collapsed && dropped <= pruned.dropped && pruned.dropped <= pruned.collapsed,
                    || "pruned messages are shown again".to_owned(),
                )?;
                self.pruned = (pruned.collapsed, pruned.dropped);
                self.cut(pruned)?;
            }
            Entry::Draining { .. } => {
                ensure(!self.is_closing, || {
                    "a session drains after it began to close".to_owned()
                })?;
                self.is_draining = true;
            }
            Entry::Detached { tasks, .. } => {
                ensure(self.is_closing, || {
                    "tasks are detached before the session closes".to_owned()
                })?;
                for number in tasks {
                    let account = self.account(*number)?;
                    ensure(account.result.is_none() && !account.is_detached, || {
                        format!("{number} is detached, but has ended or is detached already")
                    })?;
                    account.is_detached = true;
                    account.end.get_or_insert("detached");
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

    fn cut(&mut self, pruned: &Pruned) -> Promise {
        let cuts: BTreeMap<usize, usize> = pruned.cuts.iter().map(|cut| (cut.message, cut.bytes)).collect();
        ensure(cuts.len() == pruned.cuts.len(), || "a message is cut twice".to_owned())?;
        for (message, known) in &self.cuts {
            let is_shorter = match cuts.get(message) {
                Some(bytes) => bytes <= known,
                None => *message < pruned.dropped,
            };
            ensure(is_shorter, || {
                format!("more of the cut message {message} is shown again")
            })?;
        }
        self.cuts = cuts;
        Ok(())
    }

    fn start(&mut self, turn: TurnNo) -> Promise {
        match &self.turn {
            TurnAccount::None => {}
            TurnAccount::Runs(open, _) => return Err(format!("{turn} starts before {open} has ended")),
            TurnAccount::Ended(open, _) => {
                return Err(format!("{turn} starts before the calls of {open} are answered"));
            }
        }
        ensure(!self.is_closing, || {
            format!("{turn} starts after the session began to close")
        })?;
        ensure(turn.as_u32() == self.last_turn + 1, || {
            format!(
                "{turn} follows turn {}; turns are numbered without gaps",
                self.last_turn
            )
        })?;
        if let Some(by) = self.interrupter {
            return Err(format!(
                "a turn was interrupted for {by}, and {turn} starts without its result"
            ));
        }
        ensure(matches!(self.rest, Rest::None), || {
            format!("{turn} starts after an interruption, and neither a message nor a result has come since")
        })?;
        self.last_turn = turn.as_u32();
        self.held = 0;
        self.call_ids.clear();
        self.turn = TurnAccount::Runs(turn, Vec::new());
        // A turn that fails has not seen them either.
        let unseen = std::mem::take(&mut self.unseen);
        if !unseen.is_empty() {
            self.unseen_before = unseen;
        }
        self.has_message = false;
        Ok(())
    }

    fn withdraw(&mut self, turn: TurnNo, cause: Withdrawal) -> Promise {
        let TurnAccount::Runs(running, calls) = std::mem::take(&mut self.turn) else {
            return Err(format!("{turn} is withdrawn, but isn't running"));
        };
        ensure(running == turn && calls.is_empty(), || {
            format!("{turn} is withdrawn, but {running} runs or has calls")
        })?;
        let has_cause = match cause {
            Withdrawal::UserMessage => self.has_message,
            Withdrawal::Result => {
                let mut accounts = self.tasks.values();
                accounts.any(|account| account.result.is_some() && account.is_promised && account.end.is_none())
            }
        };
        ensure(has_cause, || {
            format!("{turn} is withdrawn for a {cause:?} that isn't there")
        })?;
        self.unseen = std::mem::take(&mut self.unseen_before);
        let tasks = &self.tasks;
        self.unseen
            .retain(|number| tasks.get(number).is_some_and(|account| account.end.is_none()));
        Ok(())
    }

    fn accept(&mut self, entry: &Entry) -> Promise {
        let Entry::Accepted {
            turn,
            task,
            number,
            awaits,
            own,
            repeats,
            call,
            ..
        } = entry
        else {
            return Ok(());
        };
        for awaited in awaits {
            let is_own = self.account(awaited.task)?.own;
            ensure(!is_own, || {
                format!(
                    "{number} waits for {}, which is a call of the `task` tool",
                    awaited.task
                )
            })?;
        }
        if let Some(of) = repeats {
            let account = self.account(*of)?;
            let has_value = account
                .result
                .as_ref()
                .is_none_or(|result| result.outcome.is_completed());
            ensure(!own && !account.own && account.tool == call.name && has_value, || {
                format!("{number} repeats {of}, which is no open or completed task of its tool")
            })?;
        }
        ensure(number.as_u32() as usize == self.tasks.len() + 1, || {
            format!(
                "task {} of the session is numbered {number}; tasks are numbered without gaps",
                self.tasks.len() + 1
            )
        })?;
        match &mut self.turn {
            TurnAccount::Runs(running, calls) if running == turn => {
                ensure(self.call_ids.insert(call.id.clone()), || {
                    format!("two calls of {turn} have the id {}", call.id)
                })?;
                calls.push(*number);
            }
            _ => return Err(format!("{number} is a call of {turn}, which isn't running")),
        }
        ensure(self.ids.insert(*task, *number).is_none(), || {
            format!("{number} has the id of another task")
        })?;
        let account = TaskAccount {
            own: *own || repeats.is_some(),
            tool: Arc::clone(&call.name),
            attempt: 1,
            result: None,
            is_promised: false,
            end: None,
            is_detached: false,
            is_left: false,
            left_until: None,
        };
        ensure(self.tasks.insert(*number, account).is_none(), || {
            format!("there are two tasks {number}")
        })
    }

    fn end(&mut self, turn: TurnNo, calls: &[TaskNo]) -> Promise {
        self.unseen_before.clear();
        let TurnAccount::Runs(running, accepted) = std::mem::take(&mut self.turn) else {
            return Err(format!("{turn} ends, but isn't running"));
        };
        let ended: BTreeSet<TaskNo> = calls.iter().copied().collect();
        let is_same =
            running == turn && ended.len() == calls.len() && accepted.into_iter().collect::<BTreeSet<_>>() == ended;
        ensure(is_same, || {
            format!("{turn} ends with calls that aren't exactly those accepted in it")
        })?;
        if calls.is_empty() {
            self.held = 0;
        } else {
            self.turn = TurnAccount::Ended(turn, calls.to_vec());
        }
        Ok(())
    }

    fn rest_was_due(&mut self) {
        if matches!(self.rest, Rest::Due) {
            self.rest = Rest::None;
        }
    }

    /// Notes that something has come after which a halted agent may go on.
    fn rest_is_over(&mut self) {
        if matches!(self.rest, Rest::Halted) {
            self.rest = Rest::None;
        }
    }

    fn settle(&mut self, result: &Arc<AsyncTaskResult>) -> Promise {
        let number = self.ids.get(&result.task).copied();
        let number = number.ok_or_else(|| format!("the task {} was never accepted", result.task))?;
        ensure(result.number.is_none_or(|known| known == number), || {
            format!("the record of {number} has the number of another task")
        })?;
        let account = self.account(number)?;
        ensure(!account.own, || {
            format!("{number} is settled, but is a call of the `task` tool")
        })?;
        ensure(account.result.is_none(), || format!("{number} is settled twice"))?;
        ensure(!account.is_detached, || {
            format!("{number} is settled after it was detached")
        })?;
        account.result = Some(Arc::clone(result));
        self.rest_is_over();
        Ok(())
    }

    fn answer(&mut self, turn: TurnNo, answers: &[CallAnswer]) -> Promise {
        let TurnAccount::Ended(ended, calls) = std::mem::take(&mut self.turn) else {
            return Err(format!("calls of {turn} are answered, but no turn waits for answers"));
        };
        let answered: Vec<TaskNo> = answers
            .iter()
            .map(|given| match given {
                CallAnswer::Ack(number, _)
                | CallAnswer::Asking(number, _)
                | CallAnswer::Result(number)
                | CallAnswer::Report { number, .. } => *number,
            })
            .collect();
        ensure(ended == turn && answered == calls, || {
            format!("every call of {ended} must get one answer, in order")
        })?;
        self.held = 0;
        self.unseen.clear();
        for given in answers {
            match given {
                CallAnswer::Ack(number, _) | CallAnswer::Asking(number, _) => {
                    let account = self.account(*number)?;
                    let has_ended = matches!(given, CallAnswer::Ack(_, status) if status.is_terminal());
                    ensure(!account.own && account.result.is_none() && !has_ended, || {
                        format!("{number} is acknowledged, but isn't an open task")
                    })?;
                    account.is_promised = true;
                    self.unseen.insert(*number);
                }
                CallAnswer::Result(number) => self.tell(*number, "told as the answer to its call")?,
                CallAnswer::Report {
                    number, tasks, media, ..
                } => {
                    let is_own = self.account(*number)?.own;
                    ensure(is_own, || {
                        format!("{number} is answered with a report, but isn't a call of the `task` tool")
                    })?;
                    self.close_account(*number, "answered")?;
                    for task in tasks {
                        let is_promised = self.account(*task)?.is_promised;
                        ensure(is_promised, || {
                            format!("{task} is told in a report before its call was answered")
                        })?;
                        self.tell(*task, "told in a report of the `task` tool")?;
                    }
                    for task in media {
                        let has_ended = self.account(*task)?.result.is_some();
                        ensure(has_ended, || {
                            format!("a report shows the media of {task}, which has not ended")
                        })?;
                    }
                }
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Promise {
        ensure(self.is_closing, || {
            "a session is closed without a `closing` entry before".to_owned()
        })?;
        for (number, account) in &self.tasks {
            ensure(account.own || account.result.is_some() || account.is_detached, || {
                format!("the session is closed, and {number} has not ended")
            })?;
            ensure(account.end.is_some(), || {
                format!("the session is closed, and the result of {number} was neither told nor dropped")
            })?;
        }
        self.is_closed = true;
        Ok(())
    }

    /// Records that the model is told a result.
    fn tell(&mut self, number: TaskNo, how: &'static str) -> Promise {
        let account = self.account(number)?;
        ensure(account.result.is_some(), || {
            format!("{number} is {how}, but has no result")
        })?;
        self.interrupter.take_if(|by| *by == number);
        self.close_account(number, how)
    }

    fn close_account(&mut self, number: TaskNo, how: &'static str) -> Promise {
        let account = self.account(number)?;
        if let Some(before) = account.end.replace(how) {
            return Err(format!("{number} is {how}, but was {before} before"));
        }
        Ok(())
    }

    /// Checks that the delivered text holds exactly the results that the entry names.
    fn check_frame(&self, tasks: &[TaskNo], text: &str) -> Promise {
        let open = format!("\n<tool_results_{}>\n", self.nonce.as_deref().unwrap_or_default());
        let framed = text
            .split_once(open.as_str())
            .and_then(|(_, rest)| rest.split_once("\n</tool_results>"));
        let (framed, after) = framed.ok_or_else(|| "the text of a delivery has no frame of its session".to_owned())?;
        ensure(!framed.contains(['<', '>']) && !after.contains(['<', '>']), || {
            "the text of a delivery has a `<` or `>` besides its frame".to_owned()
        })?;
        let lines: Vec<&str> = framed.lines().collect();
        ensure(lines.len() == tasks.len(), || {
            format!(
                "a delivery of {} results has {} lines of results",
                tasks.len(),
                lines.len()
            )
        })?;
        for (number, line) in tasks.iter().zip(lines) {
            let told: Value =
                serde_json::from_str(line).map_err(|error| format!("the line of {number} isn't JSON: {error}"))?;
            let is_it = told["task"].as_str().is_some_and(|name| name == number.to_string());
            ensure(is_it, || format!("the line of {number} names {}", told["task"]))?;
            let value = self.tasks.get(number).and_then(|account| account.result.as_ref());
            let value = value
                .filter(|result| result.preview.is_none())
                .and_then(|result| result.outcome.value());
            // Through text once, like the told value: that may change the last digit of a fraction.
            let is_told = |value: &Value| {
                serde_json::from_str(&value.to_string()).is_ok_and(|value: Value| told["result"] == value)
            };
            ensure(value.is_none_or(is_told), || {
                format!("the line of {number} differs from its result")
            })?;
        }
        Ok(())
    }

    fn account(&mut self, number: TaskNo) -> Result<&mut TaskAccount, String> {
        self.tasks
            .get_mut(&number)
            .ok_or_else(|| format!("{number} was never accepted"))
    }
}
