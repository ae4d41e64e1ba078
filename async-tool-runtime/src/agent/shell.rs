//! Shell of the machine: one tokio task per session.

use std::{
    collections::{BTreeMap, VecDeque},
    future::{pending, poll_fn},
    num::NonZeroU64,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use futures_core::Stream;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::coop::consume_budget,
    time::sleep,
};

#[cfg(any(test, feature = "testing"))]
use super::Tap;
use super::{
    AgentError, AgentEvent, AgentEventKind, AgentState, AgentTask, AsyncAgent, CloseMode, Ledger, Parked, Resumption,
    RunSummary,
    bounds::Bounds,
    event::Events,
    handle::{AgentStatus, Command, GroupRequest},
    machine::{AgentAction, AgentInput, AgentMachine, Timer, TurnEvent},
    redaction::Redactor,
};
use crate::{
    broadcast::next,
    clock::Timestamp,
    context::Message,
    id::{TaskId, TaskNo},
    journal::{AppendError, Entry, Journal, Seq},
    manager::{AsyncToolManager, SubmitError, TaskHandle, TaskNews},
    model::{Model, ModelError, ModelEvent, ModelRequest, ModelStream},
    session::SessionId,
    task::{AsyncTaskResult, TaskOutcome, TaskSpec, TaskStatus, Timing, TurnNo},
};

/// Capacity of the command channel; when it is full, the host waits.
const COMMAND_BACKLOG: usize = 16;
/// Backoff before each retry of a failed append.
pub(super) const JOURNAL_PAUSES: [Duration; 3] = [
    Duration::from_millis(20),
    Duration::from_millis(200),
    Duration::from_secs(1),
];

pub(super) struct Shell {
    pub(super) machine: AgentMachine,
    pub(super) session: SessionId,
    model: Arc<dyn Model>,
    pub(super) manager: AsyncToolManager,
    pub(super) bounds: Bounds,
    #[cfg(any(test, feature = "testing"))]
    pub(super) tap: Option<Tap>,
    pub(super) journal: Arc<dyn Journal>,
    /// Redacts entries before the journal gets them; `None` if nothing needs redaction.
    pub(super) redactor: Option<Box<Redactor>>,
    /// Last durable entry.
    pub(super) seq: Seq,
    /// Last entry that a snapshot covers.
    pub(super) snapshot: Seq,

    news: mpsc::UnboundedReceiver<TaskNews>,
    /// Inputs that come from carrying out actions, e.g. the settlement of a task that the manager refused.
    pub(super) inputs: VecDeque<AgentInput>,
    pub(super) turn: Option<(TurnNo, ModelStream)>,
    pub(super) timers: BTreeMap<Timer, Timestamp>,

    events: Events,
    status: watch::Sender<AgentStatus>,
    closers: Vec<oneshot::Sender<Result<(), AgentError>>>,
    /// Callers that wait until the agent is parked.
    pub(super) parkers: Vec<oneshot::Sender<Parked>>,
    pub(super) stopped: Option<String>,
    /// True while the session is this agent's, as far as it knows.
    pub(super) is_owner: bool,
    /// False after an append that may have been written.
    pub(super) knows_the_end: bool,
    pub(super) has_departed: bool,
    /// Tasks that were told to stop when the journal failed.
    pub(super) halted: Vec<TaskHandle>,
    /// Changes of the manager's tasks, while callers wait until the agent is parked.
    pub(super) stirs: Option<watch::Receiver<()>>,
}

/// Event that woke the shell.
enum Woken {
    Command(Option<Command>),
    Input(AgentInput),
    /// A task of the manager has come to rest, or goes on.
    Stirred,
}

impl Shell {
    pub(super) fn new(
        machine: AgentMachine,
        session: SessionId,
        model: Arc<dyn Model>,
        manager: AsyncToolManager,
        journal: Arc<dyn Journal>,
        news: mpsc::UnboundedReceiver<TaskNews>,
    ) -> (AsyncAgent, Self, mpsc::Receiver<Command>) {
        let (commands, command_queue) = mpsc::channel(COMMAND_BACKLOG);
        let events = Events::default();
        let (status, status_reader) = watch::channel(AgentStatus::default());
        let agent = AsyncAgent {
            session: session.clone(),
            commands,
            events: events.clone(),
            status: status_reader,
            resumption: None,
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
            redactor: None,
            seq: Seq::START,
            snapshot: Seq::START,
            news,
            inputs: VecDeque::new(),
            turn: None,
            timers: BTreeMap::new(),
            events,
            status,
            closers: Vec::new(),
            parkers: Vec::new(),
            stopped: None,
            is_owner: true,
            knows_the_end: true,
            has_departed: false,
            halted: Vec::new(),
            stirs: None,
        };
        (agent, shell, command_queue)
    }

    /// Handles the first input; the caller gets its failure.
    pub(super) async fn open(&mut self, input: AgentInput) -> Result<(), AppendError> {
        self.manager.enter(self.machine.ledger().statuses());
        let actions = self.decide(input);
        if let Err(error) = self.carry_out(actions).await {
            self.disown_after(&error);
            if self.is_owner {
                // The append may have claimed the session. Tried once, because the caller waits for the error.
                let _not_given_up = self.try_to_give_up().await;
            }
            self.depart();
            return Err(error);
        }
        self.show_status();
        Ok(())
    }

    pub(super) fn resumption(&self) -> Option<Arc<Resumption>> {
        self.machine.resumption().cloned()
    }

    /// `self` is boxed because a future reserves space for its arguments twice.
    pub(super) async fn run(mut self: Box<Self>, mut commands: mpsc::Receiver<Command>) {
        loop {
            // A model and a journal that are always ready must not block the other tokio tasks of the thread.
            consume_budget().await;
            match self.woken(&mut commands).await {
                Woken::Input(input) => self.step(input).await,
                Woken::Stirred => self.tell_parkers(),
                Woken::Command(Some(command)) => self.obey(command).await,
                // The last handle was dropped: nothing outlives its owner.
                Woken::Command(None) => {
                    if self.is_over() {
                        // Does nothing unless the journal has failed.
                        let _not_given_up = self.leave().await;
                        return;
                    }
                    self.step(AgentInput::Close(CloseMode::Cancel)).await;
                    while !self.is_over() {
                        consume_budget().await;
                        let input = self.happens().await;
                        self.step(input).await;
                    }
                    return;
                }
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
            input = self.happens() => Woken::Input(input),
            () = stirred => Woken::Stirred,
        }
    }

    /// Waits for the next input that is not a command. Cancel safe: it takes nothing before it returns it.
    async fn happens(&mut self) -> AgentInput {
        if let Some(input) = self.inputs.pop_front() {
            return input;
        }
        let next_timer = self
            .timers
            .iter()
            .min_by_key(|(_, at)| **at)
            .map(|(timer, at)| (*timer, *at));
        let now = self.manager.now();
        let timer = async {
            match next_timer {
                Some((timer, at)) => {
                    sleep(at.since(now)).await;
                    timer
                }
                None => pending().await,
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
            Some(input) = news(&mut self.news) => input,
            timer = timer => {
                self.timers.remove(&timer);
                AgentInput::Timer(timer)
            }
            (turn, event) = turn_event => {
                let event = match event {
                    Some(Ok(ModelEvent::Text(text))) => TurnEvent::Text(text),
                    Some(Ok(ModelEvent::ToolCall(call))) => TurnEvent::ToolCall(call, TaskId::at(self.manager.now())),
                    Some(Ok(ModelEvent::Done(end))) => TurnEvent::Done(end),
                    Some(Err(error)) => TurnEvent::Failed(error),
                    None => TurnEvent::Failed(ModelError::truncated()),
                };
                if matches!(event, TurnEvent::Done(_) | TurnEvent::Failed(_)) {
                    self.turn = None;
                }
                AgentInput::Turn(turn, event)
            }
        }
    }

    async fn obey(&mut self, command: Command) {
        // A reply fails if the caller has dropped its future; the command counts all the same.
        match command {
            Command::Send(text, reply) => {
                let _ = reply.send(self.say(AgentInput::User(text)).await);
            }
            Command::Batch(text, reply) => {
                let _ = reply.send(self.say(AgentInput::Batch(text)).await);
            }
            Command::Cancel(task, reason, reply) => {
                let _ = reply.send(self.say_of(task, AgentInput::Cancel(task, reason)).await);
            }
            Command::SetDelivery(task, policy, reply) => {
                let _ = reply.send(self.say_of(task, AgentInput::SetDelivery(task, policy)).await.map(drop));
            }
            Command::Promote(task, reply) => {
                let _ = reply.send(self.say_of(task, AgentInput::Promote(task)).await);
            }
            Command::Group(group, reply) => {
                let unknown = group.tasks.iter().find(|task| self.machine.status(**task).is_none());
                let answer = match unknown {
                    Some(task) => self.is_alive().and(Err(AgentError::UnknownTask(*task))),
                    None => {
                        let GroupRequest {
                            name,
                            tasks,
                            join,
                            limit,
                        } = *group;
                        let input = AgentInput::Group {
                            name,
                            tasks,
                            join,
                            limit,
                        };
                        self.tell(input).await
                    }
                };
                let _ = reply.send(answer);
            }
            Command::Summary(reply) => {
                let _ = reply.send(self.summary());
            }
            Command::Tasks(reply) => {
                let tasks = self.machine.ledger().tasks().iter().filter(|(_, record)| !record.own);
                let tasks = tasks.map(|(number, record)| AgentTask {
                    number: *number,
                    task: record.task,
                    call: record.call.clone(),
                    status: self.status_of(*number, record.task),
                    accepted: record.accepted,
                    delivery: self.machine.delivery_of(*number),
                    progress: self.manager.task(record.task).and_then(|task| task.snapshot().progress),
                });
                let _ = reply.send(tasks.collect());
            }
            Command::Transcript(reply) => {
                let _ = reply.send(self.machine.ledger().transcript().messages().to_vec());
            }
            Command::Close(mode, reply) => {
                self.closers.push(reply);
                self.step(AgentInput::Close(mode)).await;
            }
            Command::Leave(reply) => {
                let _ = reply.send(self.leave().await);
            }
            Command::Parked(reply) => {
                self.parkers.push(reply);
                self.tell_parkers();
            }
        }
    }

    /// Passes on a user message.
    async fn say(&mut self, input: AgentInput) -> Result<(), AgentError> {
        match self.machine.state() {
            AgentState::Closing => Err(AgentError::Closed),
            _ => self.tell(input).await,
        }
    }

    /// Passes on a command about a task, and returns the task's status before it.
    async fn say_of(&mut self, task: TaskNo, input: AgentInput) -> Result<TaskStatus, AgentError> {
        let status = self.machine.status(task).ok_or(AgentError::UnknownTask(task));
        let status = self.is_alive().and(status)?;
        self.tell(input).await?;
        Ok(status)
    }

    async fn tell(&mut self, input: AgentInput) -> Result<(), AgentError> {
        self.is_alive()?;
        self.step(input).await;
        self.not_stopped()
    }

    fn summary(&self) -> RunSummary {
        let ledger = self.machine.ledger();
        let messages = ledger.transcript().messages().iter().rev();
        let text = messages
            .take_while(|message| !matches!(&***message, Message::User { .. }))
            .find_map(|message| match &**message {
                Message::Assistant { text, .. } if !text.is_empty() => Some(text.clone()),
                _ => None,
            });
        RunSummary {
            text: text.unwrap_or_default(),
            totals: *ledger.run(),
            is_empty: ledger.has_ended_empty(),
        }
    }

    /// Status of a task. A stopped session gets no more news of its tasks, so the manager is asked.
    fn status_of(&self, number: TaskNo, task: TaskId) -> TaskStatus {
        let known = self.machine.status(number).unwrap_or(TaskStatus::Queued);
        if self.stopped.is_none() || known.is_terminal() {
            return known;
        }
        self.manager.task(task).map_or(known, |task| task.status())
    }

    /// Handles one input: decides, carries out, publishes the status.
    async fn step(&mut self, input: AgentInput) {
        if self.stopped.is_none() {
            let actions = self.decide(input);
            if let Err(error) = self.carry_out(actions).await {
                self.stop(&error);
            }
            if self.machine.state() == AgentState::Closed
                && let Err(error) = self.give_up().await
            {
                // No process can take up a closed session, so nothing waits for this.
                tracing::warn!(session = %self.session, error = &error as &dyn std::error::Error, "the journal could not give a closed session up");
            }
        }
        self.show_status();
        if self.turn.is_none() && self.stopped.is_none() {
            self.keep_snapshot().await;
        }
    }

    /// Keeps a snapshot if one is due. Between turns, so that no text of a turn waits for it.
    async fn keep_snapshot(&mut self) {
        if !is_due(&*self.journal, self.seq, self.snapshot) {
            return;
        }
        // Set even if it fails, so that the next try comes when the next snapshot is due.
        self.snapshot = self.seq;
        // The fold of what was written: with redaction, the machine's ledger knows more.
        let written = match &self.redactor {
            Some(redactor) => redactor.written(),
            None => self.machine.ledger(),
        };
        keep_snapshot(&*self.journal, &self.session, written, self.seq).await;
    }

    fn decide(&mut self, input: AgentInput) -> Vec<AgentAction> {
        let now = self.manager.now();
        #[cfg(any(test, feature = "testing"))]
        if let Some(tap) = &self.tap {
            tap(&self.session, &self.machine, now, &input);
        }
        self.machine.step(now, input)
    }

    /// Carries out actions in order; skips those behind a failed append.
    async fn carry_out(&mut self, actions: Vec<AgentAction>) -> Result<(), AppendError> {
        for action in actions {
            match action {
                AgentAction::Append(entries) => self.append(&entries).await?,
                AgentAction::StartTurn(turn, request) => self.turn = Some((turn, ask(&*self.model, request))),
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
        Ok(())
    }

    fn submit(
        &mut self,
        spec: TaskSpec,
        submit: impl FnOnce(&Bounds, &AsyncToolManager, TaskSpec) -> Result<Option<Arc<AsyncTaskResult>>, SubmitError>,
    ) {
        let (task, number) = (spec.task, spec.number);
        let result = match submit(&self.bounds, &self.manager, spec) {
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

    async fn append(&mut self, written: &[Entry]) -> Result<(), AppendError> {
        // Redacted once, before the first try: `has_written` compares the journal with exactly these entries.
        let redacted;
        let entries = match &mut self.redactor {
            Some(redactor) => {
                redacted = redactor.redact(&self.session, written)?;
                &redacted[..]
            }
            None => written,
        };
        let mut pauses = JOURNAL_PAUSES.iter();
        let mut is_repeated = false;
        loop {
            let error = match self.journal.append(&self.session, self.seq, entries).await {
                Ok(seq) => {
                    self.seq = seq;
                    self.note(written);
                    return Ok(());
                }
                Err(error) => error,
            };
            match (&error, pauses.next()) {
                // A failed append may have been written. Then the conflict is with our own entries.
                (AppendError::Conflict { last, .. }, _)
                    if is_repeated && has_written(&*self.journal, &self.session, self.seq, entries, *last).await =>
                {
                    self.seq = *last;
                    self.note(written);
                    return Ok(());
                }
                (AppendError::Unavailable(source), Some(pause)) => {
                    tracing::warn!(session = %self.session, error = &**source as &dyn std::error::Error, "the journal can't be written; trying again");
                    is_repeated = true;
                    sleep(*pause).await;
                }
                _ => return Err(error),
            }
        }
    }

    /// Stops the session after its journal failed: no more decisions, and no work without a record.
    fn stop(&mut self, error: &AppendError) {
        let mut reason = error.to_string();
        if let Some(source) = std::error::Error::source(error) {
            reason = format!("{reason}: {source}");
        }
        tracing::error!(session = %self.session, reason, "the session has stopped");
        self.disown_after(error);
        self.halted = self.halt("the session's journal failed");
        self.depart();
        self.emit(AgentEvent::new(
            self.manager.now(),
            AgentEventKind::JournalFailed(reason.clone()),
        ));
        self.stopped = Some(reason);
    }

    /// Stops the turn, the timers and the tasks; returns these tasks.
    fn halt(&mut self, reason: &str) -> Vec<TaskHandle> {
        self.turn = None;
        self.timers.clear();
        let tasks = self.open_tasks();
        let tasks = tasks.into_iter().filter_map(|task| self.manager.task(task));
        tasks
            .inspect(|task| {
                if !task.status().is_terminal() {
                    task.cancel(reason);
                }
            })
            .collect()
    }

    pub(super) fn emit(&self, event: AgentEvent) {
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
        let state = if self.stopped.is_some() {
            AgentState::Closed
        } else {
            self.machine.state()
        };
        let is_quiescent = self.machine.is_quiescent() && self.inputs.is_empty();
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

    /// True if the session still takes input. A draining session takes no messages, but the host may still control its
    /// tasks.
    fn is_alive(&self) -> Result<(), AgentError> {
        let ledger = self.machine.ledger();
        match self.machine.state() {
            AgentState::Closed => Err(AgentError::Closed),
            AgentState::Closing if ledger.draining().is_none() => Err(AgentError::Closed),
            _ => self.not_stopped(),
        }
    }

    fn not_stopped(&self) -> Result<(), AgentError> {
        self.stopped
            .clone()
            .map_or(Ok(()), |reason| Err(AgentError::Stopped(reason)))
    }
}

impl Drop for Shell {
    /// Also runs when the runtime shuts down in the middle of the session: the manager learns that the results have no
    /// reader.
    fn drop(&mut self) {
        // A stopped session has already told its tasks to stop. Another agent may have resumed it since, and own its
        // route and tasks.
        self.news.close();
        self.manager.unroute(&self.session);
        self.depart();
        if self.stopped.is_none() {
            for task in self.open_tasks() {
                self.manager.cancel(task, "the session's agent is gone");
            }
        }
    }
}

/// True if another snapshot is useful. Snapshots get rarer as the session grows and each costs more, so all of them
/// together cost as much as a few folds.
pub(super) fn is_due(journal: &dyn Journal, seq: Seq, last: Seq) -> bool {
    let since = seq.as_u64() - last.as_u64();
    let every = journal.snapshot_every().map(NonZeroU64::get);
    every.is_some_and(|every| since >= every.max(seq.as_u64() / 4))
}

/// Asks the journal to keep a snapshot. A failure is only logged, because the entries suffice.
pub(super) async fn keep_snapshot(journal: &dyn Journal, session: &SessionId, ledger: &Ledger, seq: Seq) {
    let Some(snapshot) = ledger.to_snapshot(seq) else {
        return;
    };
    if let Err(error) = journal.keep_snapshot(session, snapshot).await {
        tracing::warn!(%session, error = &error as &dyn std::error::Error, "no snapshot of the session could be kept");
    }
}

/// Next news of the session's tasks. A barrier is answered when all news before it has been handled.
async fn news(news: &mut mpsc::UnboundedReceiver<TaskNews>) -> Option<AgentInput> {
    loop {
        return Some(match news.recv().await? {
            TaskNews::Started(task) => AgentInput::Started(task),
            TaskNews::Progressed(task, report) => AgentInput::Progressed(task, *report),
            TaskNews::Asked(top, snapshot) => AgentInput::Asked {
                task: top,
                asking: snapshot.task,
                request: snapshot.request,
            },
            TaskNews::Deferred(task, until) => AgentInput::Deferred(task, until),
            TaskNews::NotStarted(task) => AgentInput::NotStarted(task),
            TaskNews::Settled(result) => AgentInput::Settled(result),
            TaskNews::Barrier(done) => {
                let _whoever_waited_may_have_gone = done.send(());
                continue;
            }
        });
    }
}

/// True if exactly these entries follow the last known durable one.
async fn has_written(journal: &dyn Journal, session: &SessionId, known: Seq, entries: &[Entry], last: Seq) -> bool {
    if last.as_u64() != known.as_u64() + entries.len() as u64 {
        return false;
    }
    let mut written = journal.read(session, known);
    for expected in entries {
        match next(&mut written).await {
            Some(Ok((_, found))) if found == *expected => {}
            _ => return false,
        }
    }
    true
}

/// Starts a turn. An adapter is user code: its panic fails the turn and not the session.
fn ask(model: &dyn Model, request: ModelRequest) -> ModelStream {
    catch_unwind(AssertUnwindSafe(|| model.generate(request))).unwrap_or_else(|_| ModelStream::failed(model_panicked()))
}

async fn next_event(stream: &mut ModelStream) -> Option<Result<ModelEvent, ModelError>> {
    poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *stream).poll_next(cx)))
            .unwrap_or_else(|_| Poll::Ready(Some(Err(model_panicked()))))
    })
    .await
}

fn model_panicked() -> ModelError {
    ModelError::permanent("the model's adapter panicked")
}
