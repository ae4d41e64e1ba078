//! State of the machine, and the handling of one input.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use super::{AgentAction, AgentInput, Timer};
use super::{
    Stall,
    phase::{Phase, Wake},
    prompt::Prompt,
    status::Asked,
    streamed_turn::StreamedTurn,
};
use crate::{
    agent::{
        AgentEvent, AgentEventKind, AgentPolicy, AgentState, Ledger, Resumption, ledger::Life, recorded::events_of,
    },
    clock::Timestamp,
    context::ContextWindow,
    id::TaskNo,
    journal::{Entry, Format},
    manager::Latencies,
    session::SessionId,
    task::WaitsFor,
    tool::{ProgressReport, ToolDefinition},
};

/// Decides what an agent does. Sans-IO: inputs go in with the time, actions come out.
///
/// The machine changes its ledger only by applying the entries that it appends. So the fold of the journal equals the
/// machine's [`ledger`](Self::ledger), at every entry. All other state (the streamed part of a turn, timers, the count
/// of failures) may be lost in a crash without harm: the turn is repeated.
///
/// ```
/// use async_tool_runtime::{
///     agent::{
///         machine::{AgentInput, AgentMachine, TurnEvent},
///         AgentPolicy, AgentState, Ledger,
///     },
///     model::TurnEnd,
///     task::{Timestamp, TurnNo},
///     AsyncToolManager, SessionId,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().build()?;
/// let policy = AgentPolicy::new(manager.registry());
/// let mut machine = AgentMachine::new(SessionId::new("s"), None, [].into(), policy, Ledger::new());
/// let inputs = [
///     AgentInput::Open { nonce: "0f9a2c46d1e84b7f".to_owned(), works_for: None },
///     AgentInput::User("hello".into()),
///     AgentInput::Turn(TurnNo::new(1), TurnEvent::Text("hello, too".to_owned())),
///     AgentInput::Turn(TurnNo::new(1), TurnEvent::Done(TurnEnd::default())),
/// ];
/// for (millis, input) in (0..).zip(inputs) {
///     let actions = machine.step(Timestamp::from_millis(millis), input);
///     assert!(!actions.is_empty()); // A shell carries them out.
/// }
/// assert_eq!(machine.state(), AgentState::Idle);
/// assert_eq!(machine.ledger().transcript().messages().len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AgentMachine {
    pub(super) session: SessionId,
    pub(super) prompt: Prompt,
    pub(super) policy: AgentPolicy,

    pub(super) ledger: Ledger,
    pub(super) now: Timestamp,
    pub(super) phase: Phase,
    pub(super) turn: StreamedTurn,
    /// Tasks that have a slot. Used only for reports.
    pub(super) running: BTreeSet<TaskNo>,
    /// Open questions of each task and of the tasks below it, by the task that asks. Used only for reports.
    pub(super) asked: Asked,
    /// Waits that the manager has told of. Used only for reports.
    pub(super) waits: BTreeMap<TaskNo, WaitsFor>,
    /// Last progress of each task. Used only for reports.
    pub(super) progress: BTreeMap<TaskNo, ProgressReport>,
    /// Tasks whose arguments wait for other tasks' results; they are not submitted yet.
    pub(super) waiting: BTreeSet<TaskNo>,
    /// Tasks that an earlier process accepted.
    pub(super) survivors: BTreeSet<TaskNo>,
    pub(super) resumption: Option<Arc<Resumption>>,
    /// Tasks that the end of a turn no longer waits for.
    pub(super) promoted: BTreeSet<TaskNo>,
    /// Outcome of each `send`, by call number; `Some(reason)` if refused.
    pub(super) sent: BTreeMap<TaskNo, Option<String>>,
    pub(super) latencies: Latencies,
    /// Follows the transcript; holds nothing that isn't in the ledger.
    pub(super) window: ContextWindow,
    /// Tokens of the system prompt and the definitions, once counted.
    pub(super) overhead: Option<usize>,
    /// True if the user wants as few model calls as possible.
    pub(super) batch: bool,
    pub(super) failures: u32,
    /// Empty turns in a row that were asked again.
    pub(super) empty: u32,
    pub(super) stalled: Option<Stall>,
    /// True after a turn that only repeated calls of open tasks, until the agent rests or asks again.
    pub(super) rests_again: bool,
    pub(super) wake: Option<Wake>,
    /// `traceparent` of the next user message.
    pub(super) traceparent: Option<Arc<str>>,

    pub(super) entries: Vec<Entry>,
    pub(super) actions: Vec<AgentAction>,
}

impl AgentMachine {
    /// Machine for the session of a ledger. For a new session, pass [`Ledger::new`] and then [`AgentInput::Open`]. For
    /// a session in a journal, pass its fold and then [`AgentInput::Recover`].
    ///
    /// ```
    /// use async_tool_runtime::{
    ///     agent::{
    ///         machine::{AgentAction, AgentInput, AgentMachine},
    ///         AgentPolicy, Ledger,
    ///     },
    ///     journal::{Entry, Format},
    ///     task::Timestamp,
    ///     AsyncToolManager, SessionId,
    /// };
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().build()?;
    /// # let policy = AgentPolicy::new(manager.registry());
    /// # let at = Timestamp::from_millis(0);
    /// # let nonce = "0f9a2c46d1e84b7f".to_owned();
    /// let ledger = Ledger::fold(&[
    ///     Entry::Opened { format: Format::CURRENT, nonce, works_for: None, at },
    ///     Entry::UserMessage { text: "hello".to_owned(), media: Vec::new(), traceparent: None, at },
    /// ])?;
    /// let mut machine = AgentMachine::new(SessionId::new("s"), None, [].into(), policy, ledger);
    /// let actions = machine.step(at, AgentInput::Recover { by: "second process".to_owned(), known: Vec::new() });
    /// // The message has no answer yet.
    /// assert!(actions.iter().any(|action| matches!(action, AgentAction::StartTurn(..))));
    /// # Ok(())
    /// # }
    /// ```
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
            prompt: Prompt::new(system, definitions, &policy),
            policy,
            window,
            overhead: None,
            ledger,
            now: Timestamp::default(),
            phase: Phase::Idle,
            turn: StreamedTurn::default(),
            running: BTreeSet::new(),
            asked: Asked::new(),
            waits: BTreeMap::new(),
            progress: BTreeMap::new(),
            waiting: BTreeSet::new(),
            survivors: BTreeSet::new(),
            resumption: None,
            promoted: BTreeSet::new(),
            sent: BTreeMap::new(),
            latencies: Latencies::default(),
            batch: false,
            failures: 0,
            empty: 0,
            stalled: None,
            rests_again: false,
            wake: None,
            traceparent: None,
            entries: Vec::new(),
            actions: Vec::new(),
        }
    }

    /// System prompt and tools of the next request, unless it is that of a batch.
    pub(in crate::agent) fn prompt(&self) -> (Option<Arc<str>>, Arc<[ToolDefinition]>) {
        let form = self.prompt.form(false, &self.ledger);
        (form.system, form.definitions)
    }

    /// Handles an input at time `now`, and returns the actions in order. An input without a meaning now does nothing,
    /// such as a part of an aborted turn or a second end of a task.
    #[must_use = "the actions have to be carried out"]
    pub fn step(&mut self, now: Timestamp, input: AgentInput) -> Vec<AgentAction> {
        self.now = now;
        match input {
            AgentInput::Open { nonce, works_for } => {
                self.record(Entry::Opened {
                    format: Format::CURRENT,
                    nonce,
                    works_for,
                    at: now,
                });
            }
            AgentInput::Recover { by, known } => self.on_recover(by, known),
            AgentInput::Traced(traceparent) => self.traceparent = Some(traceparent),
            AgentInput::User(text) => self.on_user(text, false, self.policy.on_message),
            AgentInput::UserAs(text, policy) => self.on_user(text, false, policy),
            AgentInput::Batch(text) => self.on_user(text, true, self.policy.on_message),
            AgentInput::Interrupt { tasks } => self.on_interrupt(tasks),
            AgentInput::Turn(turn, event) => self.on_turn(turn, event),
            AgentInput::Learned { tool, latencies } => self.latencies.take_over(&tool, latencies),
            AgentInput::Started(task) => self.on_started(task),
            AgentInput::Progressed(task, report) => self.on_progressed(task, report),
            AgentInput::Asked { task, asking, question } => self.on_asked(task, asking, question),
            AgentInput::Waits(task, waits_for) => self.on_waits(task, waits_for),
            AgentInput::Deferred(task, until) => self.on_deferred(task, until),
            AgentInput::Checkpointed(task, checkpoint) => self.on_checkpointed(task, checkpoint),
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
            // All entries of a step form one append, before every other action. So no action runs before its entries
            // are durable, and a step costs one write.
            actions.insert(0, AgentAction::Append(std::mem::take(&mut self.entries)));
        }
        actions
    }

    /// State of the session: the fold of all appended entries.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// State of the agent. It is idle exactly if the machine is [quiescent](Self::is_quiescent).
    #[must_use]
    pub fn state(&self) -> AgentState {
        match self.ledger.state() {
            AgentState::Idle | AgentState::Waiting if self.is_quiescent() => AgentState::Idle,
            AgentState::Idle => AgentState::Waiting,
            state => state,
        }
    }

    /// True if nothing happens without a new input: no turn runs or is due, no task runs, and no undelivered result
    /// will wake the model.
    ///
    /// ```
    /// use async_tool_runtime::{
    ///     agent::{
    ///         machine::{AgentInput, AgentMachine},
    ///         AgentPolicy, Ledger,
    ///     },
    ///     task::Timestamp,
    ///     AsyncToolManager, SessionId,
    /// };
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().build()?;
    /// # let policy = AgentPolicy::new(manager.registry());
    /// # let mut machine = AgentMachine::new(SessionId::new("s"), None, [].into(), policy, Ledger::new());
    /// # let now = Timestamp::from_millis(0);
    /// # let nonce = "0f9a2c46d1e84b7f".to_owned();
    /// let _append = machine.step(now, AgentInput::Open { nonce, works_for: None });
    /// assert!(machine.is_quiescent());
    /// let _turn = machine.step(now, AgentInput::User("hello".into()));
    /// assert!(!machine.is_quiescent());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_quiescent(&self) -> bool {
        if self.ledger.life() == Life::Closed {
            return true;
        }
        // Ordered by cost, the most expensive last: this runs after every step.
        self.phase == Phase::Idle
            && self.wake.is_none()
            && self.ledger.open_tasks().next().is_none()
            && (self.stalled.is_some() || (!self.ledger.is_unanswered() && !self.has_news()))
    }

    /// Reason for which the agent doesn't call the model although it has work; `None` once it does again.
    #[must_use]
    pub fn stalled(&self) -> Option<&Stall> {
        self.stalled.as_ref()
    }

    /// Fates of the session's tasks when [`AgentInput::Recover`] resumed it; `None` if it was opened.
    #[must_use]
    pub fn resumption(&self) -> Option<&Arc<Resumption>> {
        self.resumption.as_ref()
    }

    /// Changes the ledger by an entry that will be appended, and emits its events. Nothing else changes the ledger. A refused entry is a
    /// defect of the machine: it is reported and not written, so the session stays sound.
    pub(super) fn record(&mut self, entry: Entry) -> bool {
        match self.ledger.apply(&entry) {
            Ok(()) => {
                let events = events_of(self.ledger.seq(), &entry, self.ledger.numbers());
                self.actions.extend(events.map(AgentAction::Emit));
                self.entries.push(entry);
                true
            }
            Err(error) => {
                tracing::error!(target: "async_tool::agent", session = %self.session, %error, "the agent refused to write an entry that breaks a rule");
                self.emit(AgentEventKind::Defect {
                    reason: error.to_string(),
                });
                false
            }
        }
    }

    /// Emits an event that is in no journal.
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
            .field("asked", &self.asked)
            .field("waits", &self.waits)
            .field("progress", &self.progress)
            .field("waiting", &self.waiting)
            .field("survivors", &self.survivors)
            .field("resumption", &self.resumption)
            .field("promoted", &self.promoted)
            .field("sent", &self.sent)
            .field("latencies", &self.latencies)
            .field("batch", &self.batch)
            .field("failures", &self.failures)
            .field("empty", &self.empty)
            .field("stalled", &self.stalled)
            .field("wake", &self.wake)
            .finish_non_exhaustive()
    }
}
