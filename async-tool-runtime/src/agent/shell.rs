//! Shell of the machine: one tokio task per session.

use std::{
    collections::{BTreeMap, VecDeque},
    future::pending,
    pin::pin,
    sync::Arc,
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::coop::consume_budget,
    time::{Instant, sleep},
};

#[cfg(any(test, feature = "testing"))]
use super::Tap;
use super::{
    AgentError, AgentEvent, AgentState, AsyncAgent, Parked, Resumption, StartError,
    bounds::Bounds,
    command::Command,
    event_channel::Events,
    machine::{AgentAction, AgentInput, AgentMachine, Timer, TurnEvent},
    member::Member,
    redaction::Redactor,
    status::AgentStatus,
};
use crate::{
    clock::Timestamp,
    id::TaskId,
    journal::{AppendError, Claim, Journal, Seq},
    manager::{AsyncToolManager, SubmitError, TaskHandle, TaskNews},
    model::{Model, ModelError, ModelEvent, ModelStream, words_of},
    session::SessionId,
    task::{AsyncTaskResult, TaskOutcome, TaskSpec, Timing, TurnNo},
    unwind::{self, Guarded},
};

mod appends;
pub(super) mod blobs;
mod commands;
mod log;
mod measured;
mod retiring;
pub(super) mod snapshots;
mod spans;
mod turn;
mod woken;

use log::log;
use spans::TurnSpans;
use turn::{ask, guard, names, next_event};
use woken::{Woken, news};

/// Capacity of the command channel; when it is full, the host waits.
const COMMAND_BACKLOG: usize = 16;
/// Name of the shell and all that it calls, in the reason of a panic.
const PART: &str = "a part of the agent";

pub(super) struct Shell {
    pub(super) machine: AgentMachine,
    pub(super) session: SessionId,
    model: Arc<dyn Model>,
    pub(super) manager: AsyncToolManager,
    pub(super) bounds: Bounds,
    #[cfg(any(test, feature = "testing"))]
    pub(super) tap: Option<Tap>,
    pub(super) journal: Arc<dyn Journal>,
    /// Right to write the session. It dies with the shell, and with it the journal's hold in this process.
    pub(super) claim: Claim,
    /// Redacts entries before the journal gets them; `None` if nothing needs redaction.
    pub(super) redactor: Option<Box<Redactor>>,
    /// Last durable entry.
    pub(super) seq: Seq,
    /// Last entry that a snapshot covers.
    pub(super) snapshot: Seq,

    news: mpsc::UnboundedReceiver<TaskNews>,
    /// Inputs that come from carrying out actions, e.g. the settlement of a task that the manager refused.
    pub(super) inputs: VecDeque<AgentInput>,
    pub(super) turn: Option<(TurnNo, Guarded<ModelStream>)>,
    spans: TurnSpans,
    pub(super) timers: BTreeMap<Timer, Timestamp>,

    events: Events,
    status: watch::Sender<AgentStatus>,
    closers: Vec<oneshot::Sender<Result<(), AgentError>>>,
    /// Callers that wait until the agent is parked.
    pub(super) parkers: Vec<oneshot::Sender<Parked>>,
    pub(super) stopped: Option<String>,
    /// True while the session is this agent's, as far as it knows.
    pub(super) is_owner: bool,
    pub(super) has_departed: bool,
    /// True once the last handle was dropped.
    is_retiring: bool,
    /// This agent, as its manager knows it.
    member: Option<Arc<Member>>,
    /// Tasks that were told to stop when the journal failed.
    pub(super) halted: Vec<TaskHandle>,
    /// Changes of the manager's tasks, while callers wait until the agent is parked.
    pub(super) stirs: Option<watch::Receiver<()>>,
    /// Time of the last step that did anything.
    pub(super) active: Instant,
}

impl Shell {
    pub(super) fn new(
        machine: AgentMachine,
        session: SessionId,
        model: Arc<dyn Model>,
        manager: AsyncToolManager,
        (journal, claim): (Arc<dyn Journal>, Claim),
        news: mpsc::UnboundedReceiver<TaskNews>,
    ) -> (AsyncAgent, Self, mpsc::Receiver<Command>) {
        let spans = TurnSpans::new(manager.traces().clone());
        let (commands, command_queue) = mpsc::channel(COMMAND_BACKLOG);
        let events = Events::default();
        let (status, status_reader) = watch::channel(AgentStatus::default());
        let agent = AsyncAgent {
            session: session.clone(),
            manager: manager.clone(),
            commands,
            events: events.clone(),
            status: status_reader,
            resumption: None,
            setup: None,
        };
        let shell = Self {
            machine,
            session,
            model,
            manager,
            bounds: Bounds::default(),
            #[cfg(any(test, feature = "testing"))]
            tap: None,
            journal,
            claim,
            redactor: None,
            seq: Seq::START,
            snapshot: Seq::START,
            news,
            inputs: VecDeque::new(),
            turn: None,
            spans,
            timers: BTreeMap::new(),
            events,
            status,
            closers: Vec::new(),
            parkers: Vec::new(),
            stopped: None,
            is_owner: true,
            has_departed: false,
            is_retiring: false,
            member: None,
            halted: Vec::new(),
            stirs: None,
            active: Instant::now(),
        };
        (agent, shell, command_queue)
    }

    /// Handles the first input; the caller gets its failure.
    pub(super) async fn open(&mut self, input: AgentInput) -> Result<(), StartError> {
        self.manager.enter(self.machine.ledger().statuses());
        let opened = unwind::contain(PART, pin!(self.carry_out_for(input))).await;
        let error = match opened {
            Ok(Ok(())) => {
                self.show_status();
                return Ok(());
            }
            Ok(Err(error)) => {
                self.disown_after(&error);
                match error {
                    AppendError::Taken { retry_after } => StartError::SessionTaken {
                        session: self.session.clone(),
                        retry_after,
                    },
                    error => StartError::Journal(error),
                }
            }
            Err(panic) => StartError::Panicked(panic.to_string()),
        };
        if self.is_owner {
            // The append may have claimed the session. Tried once, because the caller waits for the error.
            let _not_given_up = self.try_to_give_up().await;
        }
        self.depart();
        Err(error)
    }

    /// Makes the agent known to its manager.
    pub(super) fn admit(&mut self, agent: &AsyncAgent) {
        let member = Arc::new(Member::new(agent, self.bounds.call().cloned()));
        self.member = Some(Arc::clone(&member));
        self.manager.admit(member);
    }

    pub(super) fn resumption(&self) -> Option<Arc<Resumption>> {
        self.machine.resumption().cloned()
    }

    /// Runs the agent until its last handle is dropped. A panic stops the session, and its handles learn why.
    ///
    /// `self` is boxed because a future reserves space for its arguments twice.
    pub(super) async fn run(mut self: Box<Self>, mut commands: mpsc::Receiver<Command>) {
        loop {
            let worked = unwind::contain(PART, pin!(self.work(&mut commands))).await;
            let Err(panic) = worked else { return };
            self.stop_for(panic.to_string());
            if self.is_retiring {
                return;
            }
        }
    }

    async fn work(&mut self, commands: &mut mpsc::Receiver<Command>) {
        loop {
            // A model and a journal that are always ready must not block the other tokio tasks of the thread.
            consume_budget().await;
            match self.woken(commands).await {
                Woken::Input(input) => self.step(input).await,
                Woken::CutShort(result) => self.step_if_running(result).await,
                Woken::Asked(reply) => self.prove(reply).await,
                Woken::Robbed => self.give_way(),
                Woken::Stirred => self.tell_parkers(),
                Woken::Command(Some(command)) => self.obey(command).await,
                Woken::Command(None) => return self.retire().await,
            }
        }
    }

    async fn woken(&mut self, commands: &mut mpsc::Receiver<Command>) -> Woken {
        if self.is_over() {
            return Woken::Command(commands.recv().await);
        }
        let mut stirs = self.stirs.clone();
        let stirred = async {
            match &mut stirs {
                Some(stirs) => drop(stirs.changed().await),
                None => pending().await,
            }
        };
        tokio::select! {
            // Commands of the user always go first.
            biased;
            command = commands.recv() => Woken::Command(command),
            woken = self.happens() => woken,
            () = stirred => Woken::Stirred,
        }
    }

    /// Waits for the next event that is not a command. Cancel safe: it takes nothing before it returns it.
    async fn happens(&mut self) -> Woken {
        if self.claim.is_lost() {
            return Woken::Robbed;
        }
        if let Some(input) = self.inputs.pop_front() {
            return Woken::Input(input);
        }
        let next_timer = self
            .timers
            .iter()
            .min_by_key(|(_, at)| **at)
            .map(|(timer, at)| (*timer, *at));
        let manager = &self.manager;
        let timer = async {
            let Some((timer, at)) = next_timer else {
                return pending().await;
            };
            // The machine knows one clock, and a timer that fires before its time would have no second chance.
            loop {
                let left = at.since(manager.now());
                if left.is_zero() {
                    return timer;
                }
                sleep(left).await;
            }
        };
        let turn = &mut self.turn;
        let turn_event = async {
            match turn {
                Some((turn, stream)) => (*turn, next_event(stream).await),
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.claim.lost() => Woken::Robbed,
            Some(woken) = news(&mut self.news) => woken,
            timer = timer => {
                self.timers.remove(&timer);
                Woken::Input(AgentInput::Timer(timer))
            }
            (turn, event) = turn_event => {
                let event = match event {
                    Some(Ok(ModelEvent::Text(text))) => TurnEvent::Text(text),
                    Some(Ok(ModelEvent::Reasoning(text))) => TurnEvent::Reasoning(text),
                    Some(Ok(ModelEvent::ToolCall(call))) => TurnEvent::ToolCall(call, TaskId::at(self.manager.now())),
                    Some(Ok(ModelEvent::Done(end))) => TurnEvent::Done(end),
                    Some(Err(error)) => TurnEvent::Failed(error),
                    None => TurnEvent::Failed(ModelError::truncated()),
                };
                if matches!(event, TurnEvent::Done(_) | TurnEvent::Failed(_)) {
                    self.turn = None;
                }
                Woken::Input(AgentInput::Turn(turn, event))
            }
        }
    }

    /// Handles one input: decides, carries out, publishes the status.
    async fn step(&mut self, input: AgentInput) {
        if matches!(input, AgentInput::Turn(_, TurnEvent::Done(_))) && self.stopped.is_none() {
            self.teach();
        }
        if self.stopped.is_none() {
            if let Err(error) = self.carry_out_for(input).await {
                self.stop(&error);
            }
            if self.machine.state() == AgentState::Closed
                && let Err(error) = self.give_up().await
            {
                // No process can resume a closed session, so nothing waits for this.
                tracing::warn!(target: "async_tool::journal", error = words_of(&error), session = %self.session, "the journal could not give a closed session up");
            }
        }
        self.show_status();
        if self.turn.is_none() && self.stopped.is_none() {
            self.keep_snapshot().await;
        }
    }

    /// Tells the machine what other sessions have learned of the turn's tools.
    fn teach(&mut self) {
        for tool in self.machine.tools_in_turn() {
            let latencies = self.manager.latencies_of(&tool);
            if !latencies.is_empty() {
                let _nothing_to_do = self.decide(AgentInput::Learned { tool, latencies });
            }
        }
    }

    fn decide(&mut self, input: AgentInput) -> Vec<AgentAction> {
        let now = self.manager.now();
        #[cfg(any(test, feature = "testing"))]
        if let Some(tap) = &self.tap {
            tap(&self.session, &self.machine, now, &input);
        }
        let actions = self.machine.step(now, input);
        // A timer that has nothing to do any more is no activity.
        if !actions.is_empty() {
            self.active = Instant::now();
        }
        actions
    }

    async fn carry_out_for(&mut self, input: AgentInput) -> Result<(), AppendError> {
        let actions = self.decide(input);
        self.carry_out(actions).await
    }

    /// Carries out actions in order; skips those behind a failed append.
    async fn carry_out(&mut self, actions: Vec<AgentAction>) -> Result<(), AppendError> {
        for action in actions {
            match action {
                AgentAction::Append(entries) => {
                    self.append(&entries).await?;
                    self.spans.note(&entries);
                }
                AgentAction::StartTurn(turn, request) => {
                    let model = &*self.model;
                    let names = names(model);
                    let shown = names.as_ref().copied().unwrap_or_default();
                    let ask = || ask(model, request, names);
                    let stream = self.spans.begin(turn, &self.session, self.machine.ledger(), shown, ask);
                    self.turn = Some((turn, guard(stream)));
                }
                AgentAction::AbortTurn(turn) => {
                    self.turn.take_if(|(running, _)| *running == turn);
                }
                AgentAction::Submit(spec) => {
                    self.submit(spec, |bounds, manager, spec| Ok(bounds.submit(manager, spec)?.result()))
                }
                AgentAction::Await(spec, request, until) => self.submit(spec, |bounds, manager, spec| {
                    let handle = manager.await_completion(spec, request, until, bounds.owner.as_ref())?;
                    Ok(handle.result())
                }),
                AgentAction::Reconcile(spec) => self.submit(spec, |bounds, manager, spec| {
                    manager.reconcile(spec, bounds.owner.as_ref())
                }),
                AgentAction::CancelTask(task, reason) => {
                    self.manager.cancel(task, reason);
                }
                AgentAction::Send { call, task, text } => {
                    let refusal = self.manager.send(task, text).err().map(|error| error.to_string());
                    self.inputs.push_back(AgentInput::Sent { call, refusal });
                }
                AgentAction::SetTimer(timer, at) => {
                    self.timers.insert(timer, at);
                }
                AgentAction::Emit(event) => self.emit(event),
            }
        }
        let running = self.turn.as_ref().map(|(turn, _)| *turn);
        self.spans.close(running, self.machine.ledger());
        Ok(())
    }

    fn submit(
        &mut self,
        mut spec: TaskSpec,
        submit: impl FnOnce(&Bounds, &AsyncToolManager, TaskSpec) -> Result<Option<Arc<AsyncTaskResult>>, SubmitError>,
    ) {
        let (task, number, turn) = (spec.task, spec.number, spec.turn);
        let submit = |spec| submit(&self.bounds, &self.manager, spec);
        let submitted = match self.spans.traceparent(turn) {
            // Only a child by its context: a span that is open in `tracing` would stay open with the task.
            Some(traceparent) => {
                spec.traceparent = Some(traceparent);
                submit(spec)
            }
            None => self.spans.inside(turn, || submit(spec)),
        };
        let result = match submitted {
            // The manager still has a task of a session that stopped in this process and was resumed. If that task
            // ended meanwhile, its end was not reported. The machine ignores a second report.
            Ok(result) => result,
            Err(refusal) => {
                let (call, error) = refusal.into_parts();
                let mut spec = TaskSpec::named(task, self.session.clone(), call);
                spec.number = number;
                let now = self.manager.now();
                let outcome = TaskOutcome::Failed(error);
                let result = AsyncTaskResult::new(&spec, outcome, Timing::new(now, None, now), 0);
                Some(Arc::new(result))
            }
        };
        self.inputs.extend(result.map(AgentInput::Settled));
    }

    pub(super) fn emit(&self, event: AgentEvent) {
        log(&self.spans, &self.session, &self.manager, &event);
        self.events.send(event);
    }

    pub(super) fn show_status(&mut self) {
        if self.is_over() {
            // Barriers that still wait for news to be written are dropped, and their waiters learn that it won't be.
            self.news.close();
            while self.news.try_recv().is_ok() {}
            if self.stopped.is_none() {
                // Detached tasks go on. Without the route, the manager keeps no news of them for this session.
                self.manager.unroute(&self.session);
            }
            self.depart();
            if !self.closers.is_empty() {
                self.answer_closers();
            }
        }
        self.tell_caller();
        self.tell_parkers();
        self.publish_status();
    }

    /// Tells the handles that the agent takes nothing more in, although its tasks may need time to stop.
    pub(super) fn show_departure(&self) {
        self.status.send_modify(|status| status.is_leaving = true);
    }

    fn publish_status(&self) {
        let is_quiescent = self.machine.is_quiescent() && self.inputs.is_empty();
        let state = match self.machine.state() {
            _ if self.stopped.is_some() => AgentState::Closed,
            AgentState::Idle if !is_quiescent => AgentState::Waiting,
            state => state,
        };
        let stalled = self.machine.stalled();
        let stopped = &self.stopped;
        // Runs once for every piece of streamed text, so it wakes waiters only on a change.
        self.status.send_if_modified(|status| {
            let shown = (
                status.state,
                status.is_quiescent,
                status.stalled.as_ref(),
                &status.stopped,
            );
            let is_new = shown != (state, is_quiescent, stalled, stopped);
            if is_new {
                *status = AgentStatus {
                    state,
                    is_quiescent,
                    stalled: stalled.cloned(),
                    stopped: stopped.clone(),
                    is_leaving: status.is_leaving,
                };
            }
            is_new
        });
    }

    /// Answers the callers that wait for the end of the session, when the tasks below its tasks have ended too.
    fn answer_closers(&mut self) {
        let (end, closers) = (self.not_stopped(), std::mem::take(&mut self.closers));
        let stopping = self.stopping();
        let answer = move || {
            for closer in closers {
                let _ = closer.send(end.clone());
            }
        };
        if stopping.is_empty() {
            return answer();
        }
        tokio::spawn(async move {
            for task in stopping {
                task.outcome().await;
            }
            answer();
        });
    }

    /// Tasks below the session's tasks that were told to stop and have not ended yet.
    pub(super) fn stopping(&self) -> Vec<TaskHandle> {
        let tasks = self.machine.ledger().tasks().values();
        self.manager.stopping_below(tasks.map(|record| record.task))
    }

    pub(super) fn is_over(&self) -> bool {
        self.stopped.is_some() || self.machine.state() == AgentState::Closed
    }

    pub(super) fn open_tasks(&self) -> Vec<TaskId> {
        let ledger = self.machine.ledger();
        ledger
            .open_tasks()
            .filter_map(|number| Some(ledger.tasks().get(&number)?.task))
            .collect()
    }
}
