//! Decides what an agent does.

mod answer;
mod call;
mod close;
mod control;
mod delivery;
mod recovery;
mod turn;
mod unkept;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use super::{
    AgentAction, AgentEvent, AgentEventKind, AgentInput, AgentPolicy, AgentState, DeliveryPolicy, Join, Ledger,
    Resumption, RunLimit, Timer,
    grace::Latencies,
    ledger::{Life, Told, Waits},
};
use crate::{
    ContextWindow, Entry, InputRequest, ModelError, ProgressReport, SessionId, TaskId, TaskNo, TaskOutcome, TaskStatus,
    Timestamp, ToolDefinition,
};

/// Decides what an agent does. Sans-IO: inputs go in with the time, actions come out.
///
/// The machine changes what it knows only by applying the entries that it appends, so the fold of the journal is the
/// machine's own [`ledger`](Self::ledger), at every entry. What isn't in the ledger (the part of a turn that has streamed,
/// timers, failures in a row) is lost in a crash without harm: the turn is asked again.
#[derive(Clone)]
pub struct AgentMachine {
    session: SessionId,
    system: Option<Arc<str>>,
    definitions: Arc<[ToolDefinition]>,
    policy: AgentPolicy,

    ledger: Ledger,
    now: Timestamp,
    phase: Phase,
    turn: turn::RunningTurn,
    /// Tasks that have a slot. Only for what is said of them.
    running: BTreeSet<TaskNo>,
    /// What tasks last said of their progress. Only for what is said of them.
    progress: BTreeMap<TaskNo, ProgressReport>,
    /// Tasks whose arguments wait for results of others; nobody runs them yet.
    waiting: BTreeSet<TaskNo>,
    /// Tasks that an earlier process has accepted.
    survivors: BTreeSet<TaskNo>,
    resumption: Option<Arc<Resumption>>,
    /// Tasks that the end of a turn waits for no longer.
    promoted: BTreeSet<TaskNo>,
    /// What became of the messages that the model has sent to tasks: why they were not taken, by the number of the call.
    sent: BTreeMap<TaskNo, Option<String>>,
    latencies: Latencies,
    /// Follows the transcript; knows nothing that isn't in the ledger.
    window: ContextWindow,
    /// The tokens of the system prompt and the definitions, once they are counted.
    overhead: Option<usize>,
    /// The user wants as few model calls as possible.
    batch: bool,
    failures: u32,
    /// The model said that the conversation is too long, and it was cut down; until the end of a turn.
    is_halved: bool,
    stalled: Option<Stall>,
    wake: Option<Wake>,

    entries: Vec<Entry>,
    actions: Vec<AgentAction>,
}

/// Why the model is not asked although it has something to answer. Whatever comes next finds everything as it was.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Stall {
    /// It failed, and was given up on. The next message or result asks it again.
    Model(ModelError),
    /// It was asked as often as one message of the user's allows. The next message asks it again.
    Limit(RunLimit),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    /// A turn runs since this time.
    Thinking(Timestamp),
    /// The turn ended at this time, and calls of it have no answer yet.
    Answering(Timestamp),
    /// A turn failed and is asked again at this time.
    Backoff(Timestamp),
}

/// Results wait for the agent to wake up or, while a turn runs, for the moment when it may be broken off.
#[derive(Clone, Copy, Debug)]
struct Wake {
    first: Timestamp,
    at: Timestamp,
}

impl AgentMachine {
    /// A machine for a session that is given by its ledger: [`Ledger::new`] for a new one, which
    /// [`AgentInput::Open`] then opens, or the fold of a journal, which [`AgentInput::Recover`] takes up.
    #[must_use]
    pub fn new(
        session: SessionId,
        system: Option<Arc<str>>,
        definitions: Arc<[ToolDefinition]>,
        policy: AgentPolicy,
        ledger: Ledger,
    ) -> Self {
        let window = ContextWindow::new(policy.prune).with_estimator(Arc::clone(&policy.tokens));
        Self {
            session,
            system,
            definitions,
            policy,
            window,
            overhead: None,
            ledger,
            now: Timestamp::default(),
            phase: Phase::Idle,
            turn: turn::RunningTurn::default(),
            running: BTreeSet::new(),
            progress: BTreeMap::new(),
            waiting: BTreeSet::new(),
            survivors: BTreeSet::new(),
            resumption: None,
            promoted: BTreeSet::new(),
            sent: BTreeMap::new(),
            latencies: Latencies::default(),
            batch: false,
            failures: 0,
            is_halved: false,
            stalled: None,
            wake: None,
            entries: Vec::new(),
            actions: Vec::new(),
        }
    }

    /// Takes in what happened at `now`, and says what to do, in order. An input that means nothing now, such as a part of a turn
    /// that was aborted or a second end of a task, does nothing.
    #[must_use = "the actions have to be carried out"]
    pub fn step(&mut self, now: Timestamp, input: AgentInput) -> Vec<AgentAction> {
        self.now = now;
        match input {
            AgentInput::Open { nonce, works_for } => {
                self.record(Entry::Opened {
                    nonce,
                    works_for,
                    at: now,
                });
            }
            AgentInput::Recover { by } => self.on_recover(by),
            AgentInput::User(text) => self.on_user(text, false),
            AgentInput::Batch(text) => self.on_user(text, true),
            AgentInput::Turn(turn, event) => self.on_turn(turn, event),
            AgentInput::Started(task) => self.on_started(task),
            AgentInput::Progressed(task, report) => self.on_progressed(task, report),
            AgentInput::Asked { task, asking, request } => self.on_asked(task, asking, request),
            AgentInput::Deferred(task) => self.on_deferred(task),
            AgentInput::NotStarted(task) => self.on_not_started(task),
            AgentInput::Settled(result) => self.on_settled(result),
            AgentInput::Timer(timer) => self.on_timer(timer),
            AgentInput::Cancel(task, reason) => self.on_cancel(task, reason),
            AgentInput::SetDelivery(task, policy) => self.on_set_delivery(task, policy),
            AgentInput::Promote(task) => self.on_promote(task),
            AgentInput::Group {
                name,
                tasks,
                join,
                limit,
            } => self.on_group(name, tasks, join, limit),
            AgentInput::Sent { call, refusal } => self.on_sent(call, refusal),
            AgentInput::Close(mode) => self.on_close(mode),
        }
        if self.ledger.draining().is_some() && self.ledger.life() == Life::Open && self.is_quiescent() {
            self.finish();
        }
        let mut actions = std::mem::take(&mut self.actions);
        if !self.entries.is_empty() {
            // All entries of a step in one append, before everything else: nothing is done that isn't durable, and a
            // step costs one write.
            actions.insert(0, AgentAction::Append(std::mem::take(&mut self.entries)));
        }
        actions
    }

    /// What the session is: the fold of all entries that were appended.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// State of the agent; the pause after a turn that failed counts as idle.
    #[must_use]
    pub fn state(&self) -> AgentState {
        self.ledger.state()
    }

    /// Whether nothing will happen any more without the host: no turn runs or is going to, no task runs, no result waits but such
    /// as wake nobody.
    #[must_use]
    pub fn is_quiescent(&self) -> bool {
        if self.ledger.life() == Life::Closed {
            return true;
        }
        // In this order: what costs most is asked last, because all of it is asked after every step.
        self.phase == Phase::Idle
            && self.wake.is_none()
            && self.ledger.open_tasks().next().is_none()
            && (self.stalled.is_some() || (!self.ledger.is_unanswered() && !self.has_news()))
    }

    /// Why the model was not asked again; `None` once it has been.
    #[must_use]
    pub fn stalled(&self) -> Option<&Stall> {
        self.stalled.as_ref()
    }

    /// Where a task stands; `None` if the session has no such task.
    pub(crate) fn status(&self, number: TaskNo) -> Option<TaskStatus> {
        let record = self.ledger.tasks().get(&number).filter(|record| !record.own)?;
        Some(match &record.result {
            Some(result) => result.status(),
            None if self.running.contains(&number) => TaskStatus::Running,
            None => TaskStatus::Queued,
        })
    }

    /// When the result of a task enters the conversation.
    pub(crate) fn delivery_of(&self, number: TaskNo) -> DeliveryPolicy {
        let record = self.ledger.tasks().get(&number);
        record.map_or(self.policy.delivery, |record| {
            record
                .delivery
                .unwrap_or_else(|| self.policy.delivery_of(&record.call.name))
        })
    }

    fn on_user(&mut self, text: String, batch: bool) {
        if self.state() == AgentState::Closing || self.ledger.life() != Life::Open {
            return;
        }
        self.batch = batch;
        self.record(Entry::UserMessage {
            text: text.clone(),
            at: self.now,
        });
        self.emit(AgentEventKind::UserMessage(text));
        self.failures = 0;
        self.is_halved = false;
        match self.phase {
            Phase::Idle | Phase::Backoff(_) => self.begin_turn(),
            // The user doesn't wait for results: what isn't in by now goes on in the background.
            Phase::Answering(_) => {
                self.answer();
                self.carry_on();
            }
            Phase::Thinking(_) => {}
        }
    }

    fn on_started(&mut self, task: TaskId) {
        let Some(number) = self.open(task) else { return };
        if self.running.insert(number) {
            self.emit(AgentEventKind::Started(number));
        }
    }

    fn on_progressed(&mut self, task: TaskId, report: ProgressReport) {
        let Some(number) = self.open(task) else { return };
        if self.running.contains(&number) {
            self.progress.insert(number, report.clone());
            self.emit(AgentEventKind::Progressed(number, report));
        }
    }

    fn on_asked(&mut self, task: TaskId, asking: TaskId, request: Option<InputRequest>) {
        let Some(number) = self.open(task) else { return };
        // What a task below asks is lost with the function above it. So is consent that a function asks for once it runs, for an agent on another
        // manager: it says nothing of whether this call may begin.
        let is_passed_on = matches!(request, Some(InputRequest::Approval { .. })) && self.running.contains(&number);
        if task == asking && !is_passed_on {
            let waits = request.clone().map_or(Waits::Nothing, Waits::Answer);
            let known = self.ledger.tasks().get(&number).map(|record| &record.waits);
            if known.is_some_and(|known| *known != waits && *known != Waits::Completion) {
                self.record(Entry::Asked {
                    task: number,
                    request: request.clone(),
                    at: self.now,
                });
            }
        }
        self.emit(AgentEventKind::InputRequired {
            number,
            asking,
            request,
        });
    }

    fn on_deferred(&mut self, task: TaskId) {
        let Some(number) = self.open(task) else { return };
        let known = self.ledger.tasks().get(&number).map(|record| &record.waits);
        if known.is_some_and(|known| *known != Waits::Completion) {
            self.record(Entry::Deferred {
                task: number,
                at: self.now,
            });
            self.emit(AgentEventKind::Deferred(number));
        }
    }

    /// What became of the session's tasks when [`AgentInput::Recover`] took it up; `None` if it was opened.
    #[must_use]
    pub fn resumption(&self) -> Option<&Arc<Resumption>> {
        self.resumption.as_ref()
    }

    /// The number of a task that has not ended.
    fn open(&self, task: TaskId) -> Option<TaskNo> {
        let number = self.ledger.number(task)?;
        self.ledger.is_open(number).then_some(number)
    }

    fn on_timer(&mut self, timer: Timer) {
        if self.ledger.life() != Life::Open {
            return;
        }
        match (timer, self.phase) {
            (Timer::Grace(turn), Phase::Answering(_))
                if self.ledger.open_turn().is_some_and(|open| open.turn == turn) =>
            {
                self.answer_if_due();
            }
            (Timer::Wake, Phase::Idle) => {
                let due = self.wake.take_if(|wake| wake.at <= self.now);
                if due.is_some() && self.wants_turn() {
                    self.begin_turn();
                }
            }
            (Timer::Wake, Phase::Thinking(_)) => {
                let due = self.wake.take_if(|wake| wake.at <= self.now);
                if let Some(number) = due.and_then(|_| self.urgent()) {
                    self.interrupt(number);
                }
            }
            (Timer::Retry, Phase::Backoff(at)) if at <= self.now => self.begin_turn(),
            (Timer::Silence(turn), Phase::Thinking(_))
                if self.ledger.open_turn().is_some_and(|open| open.turn == turn) =>
            {
                self.fail_if_silent(turn);
            }
            (Timer::Join, _) => self.reconsider(),
            (Timer::Drain, _) if self.ledger.draining().is_some_and(|until| until <= self.now) => self.finish(),
            _ => {}
        }
    }

    fn on_set_delivery(&mut self, number: TaskNo, policy: DeliveryPolicy) {
        let Some(record) = self.ledger.tasks().get(&number).filter(|record| !record.own) else {
            return;
        };
        let is_open = self.ledger.life() == Life::Open && record.is_owed();
        if !is_open || record.delivery == Some(policy) {
            return;
        }
        let before = self.delivery_of(number);
        let entry = Entry::DeliverySet {
            task: number,
            policy,
            at: self.now,
        };
        self.record(entry);
        self.emit(AgentEventKind::DeliverySet(number, policy));
        let waits = self.ledger.inbox().any(|(waiting, _)| waiting == number);
        if waits && before != policy {
            self.forget_wake();
            self.on_late(number);
            self.reconsider();
        }
    }

    fn on_group(&mut self, name: Arc<str>, tasks: Vec<TaskNo>, join: Join, limit: Option<Duration>) {
        if self.ledger.life() != Life::Open {
            return;
        }
        let settled = self.join(name, tasks, join, limit);
        self.after_settling(&settled);
        self.forget_wake();
        self.reconsider();
    }

    /// Joins tasks to a group; gives those that ended by it.
    fn join(&mut self, name: Arc<str>, mut tasks: Vec<TaskNo>, join: Join, limit: Option<Duration>) -> Vec<TaskNo> {
        let mut settled = Vec::new();
        tasks.retain(|number| self.ledger.tasks().get(number).is_some_and(|record| !record.own));
        tasks.sort_unstable();
        tasks.dedup();
        if tasks.is_empty() {
            return settled;
        }
        let entry = Entry::Grouped {
            group: Arc::clone(&name),
            tasks: tasks.clone(),
            join,
            until: limit.map(|limit| self.now.after(limit)),
            at: self.now,
        };
        self.record(entry);
        self.emit(AgentEventKind::Grouped {
            name,
            tasks: tasks.clone(),
            join,
        });
        if let Some(number) = tasks.into_iter().find(|number| self.has_completed(*number)) {
            self.stop_others(number, &mut settled);
        }
        settled
    }

    /// The one way to change the ledger: by an entry that will be appended. An entry that the ledger refuses is a defect of the
    /// machine; it is reported and not written, so the session stays sound.
    fn record(&mut self, entry: Entry) -> bool {
        match self.ledger.apply(&entry) {
            Ok(()) => {
                self.entries.push(entry);
                true
            }
            Err(error) => {
                tracing::error!(session = %self.session, %error, "the agent refused to write an entry that breaks a rule");
                self.emit(AgentEventKind::Defect(error.to_string()));
                false
            }
        }
    }

    fn emit(&mut self, kind: AgentEventKind) {
        self.actions.push(AgentAction::Emit(AgentEvent::new(self.now, kind)));
    }

    fn set_timer(&mut self, timer: Timer, at: Timestamp) {
        self.actions.push(AgentAction::SetTimer(timer, at));
    }

    fn told(&self, number: TaskNo) -> Option<Told> {
        self.ledger.tasks().get(&number).map(|record| record.told)
    }

    fn has_completed(&self, number: TaskNo) -> bool {
        let result = self
            .ledger
            .tasks()
            .get(&number)
            .and_then(|record| record.result.as_ref());
        result.is_some_and(|result| matches!(result.outcome, TaskOutcome::Completed(_)))
    }
}

/// All that changes.
impl fmt::Debug for AgentMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentMachine")
            .field("session", &self.session)
            .field("ledger", &self.ledger)
            .field("now", &self.now)
            .field("phase", &self.phase)
            .field("turn", &self.turn)
            .field("running", &self.running)
            .field("progress", &self.progress)
            .field("waiting", &self.waiting)
            .field("survivors", &self.survivors)
            .field("resumption", &self.resumption)
            .field("promoted", &self.promoted)
            .field("sent", &self.sent)
            .field("latencies", &self.latencies)
            .field("batch", &self.batch)
            .field("failures", &self.failures)
            .field("is_halved", &self.is_halved)
            .field("stalled", &self.stalled)
            .field("wake", &self.wake)
            .finish_non_exhaustive()
    }
}
