//! The machine: its state, and the way of an input through it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use super::{AgentAction, AgentInput, Timer};
use super::{
    Stall,
    phase::{Phase, Wake},
    streamed_turn::StreamedTurn,
};
use crate::{
    agent::{AgentEvent, AgentEventKind, AgentPolicy, AgentState, Ledger, Resumption, grace::Latencies, ledger::Life},
    clock::Timestamp,
    context::ContextWindow,
    id::TaskNo,
    journal::Entry,
    session::SessionId,
    tool::{ProgressReport, ToolDefinition},
};

/// Decides what an agent does. Sans-IO: inputs go in with the time, actions come out.
///
/// The machine changes what it knows only by applying the entries that it appends, so the fold of the journal is the
/// machine's own [`ledger`](Self::ledger), at every entry. What isn't in the ledger (the part of a turn that has streamed,
/// timers, failures in a row) is lost in a crash without harm: the turn is asked again.
#[derive(Clone)]
pub struct AgentMachine {
    pub(super) session: SessionId,
    pub(super) system: Option<Arc<str>>,
    pub(super) definitions: Arc<[ToolDefinition]>,
    pub(super) policy: AgentPolicy,

    pub(super) ledger: Ledger,
    pub(super) now: Timestamp,
    pub(super) phase: Phase,
    pub(super) turn: StreamedTurn,
    /// Tasks that have a slot. Only for what is said of them.
    pub(super) running: BTreeSet<TaskNo>,
    /// Last progress of each task, for reports only.
    pub(super) progress: BTreeMap<TaskNo, ProgressReport>,
    /// Tasks whose arguments wait for results of others; nobody runs them yet.
    pub(super) waiting: BTreeSet<TaskNo>,
    /// Tasks that an earlier process has accepted.
    pub(super) survivors: BTreeSet<TaskNo>,
    pub(super) resumption: Option<Arc<Resumption>>,
    /// Tasks that the end of a turn waits for no longer.
    pub(super) promoted: BTreeSet<TaskNo>,
    /// Outcome of each `send`, by call number; `Some(reason)` if refused.
    pub(super) sent: BTreeMap<TaskNo, Option<String>>,
    pub(super) latencies: Latencies,
    /// Follows the transcript; knows nothing that isn't in the ledger.
    pub(super) window: ContextWindow,
    /// The tokens of the system prompt and the definitions, once they are counted.
    pub(super) overhead: Option<usize>,
    /// The user wants as few model calls as possible.
    pub(super) batch: bool,
    pub(super) failures: u32,
    /// The model said that the conversation is too long, and it was cut down; until the end of a turn.
    pub(super) is_halved: bool,
    pub(super) stalled: Option<Stall>,
    pub(super) wake: Option<Wake>,

    pub(super) entries: Vec<Entry>,
    pub(super) actions: Vec<AgentAction>,
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
            turn: StreamedTurn::default(),
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

    /// State of the session: the fold of all entries that were appended.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// State of the agent; the pause after a turn that failed counts as idle.
    #[must_use]
    pub fn state(&self) -> AgentState {
        self.ledger.state()
    }

    /// True if nothing will happen any more without the host: no turn runs or is going to, no task runs, no result waits but such
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

    /// Reason for which the model was not asked again; `None` once it has been.
    #[must_use]
    pub fn stalled(&self) -> Option<&Stall> {
        self.stalled.as_ref()
    }

    /// Fates of the session's tasks when [`AgentInput::Recover`] took it up; `None` if it was opened.
    #[must_use]
    pub fn resumption(&self) -> Option<&Arc<Resumption>> {
        self.resumption.as_ref()
    }

    /// The one way to change the ledger: by an entry that will be appended. An entry that the ledger refuses is a defect of the
    /// machine; it is reported and not written, so the session stays sound.
    pub(super) fn record(&mut self, entry: Entry) -> bool {
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

    pub(super) fn emit(&mut self, kind: AgentEventKind) {
        self.actions.push(AgentAction::Emit(AgentEvent::new(self.now, kind)));
    }

    pub(super) fn set_timer(&mut self, timer: Timer, at: Timestamp) {
        self.actions.push(AgentAction::SetTimer(timer, at));
    }
}

/// Fields that change.
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
