//! Decides what an agent does.

use std::{collections::HashSet, sync::Arc, time::Duration};

use super::{
    AckPolicy, AgentAction, AgentEvent, AgentEventKind, AgentInput, AgentPolicy, AgentState, DeliveryPolicy, Ledger,
    Timer, TurnEvent, TurnNo, frames,
    ledger::{Life, Told},
};
use crate::{
    AsyncTaskResult, Entry, Given, InputRequest, ModelError, ModelRequest, ProgressReport, SessionId, TaskId, TaskNo,
    TaskSpec, TaskStatus, Timestamp, ToolCall, ToolDefinition, TurnEnd,
};

/// The longest pause before a turn that failed is asked again, unless the provider wants a longer one.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// Decides what an agent does. Sans-IO: inputs go in with the time, actions come out.
///
/// The machine changes what it knows only by applying the entries that it appends, so the fold of the journal is the
/// machine's own [`ledger`](Self::ledger), at every entry. What isn't in the ledger (the part of a turn that has streamed,
/// timers, failures in a row) is lost in a crash without harm: the turn is asked again.
#[derive(Clone, Debug)]
pub struct AgentMachine {
    session: SessionId,
    system: Option<Arc<str>>,
    definitions: Arc<[ToolDefinition]>,
    policy: AgentPolicy,

    ledger: Ledger,
    phase: Phase,
    text: String,
    calls: Vec<TurnCall>,
    /// Tasks that have a slot. Only for the status in acknowledgements.
    running: HashSet<TaskNo>,
    failures: u32,
    stalled: Option<ModelError>,
    wake: Option<Wake>,

    entries: Vec<Entry>,
    actions: Vec<AgentAction>,
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

/// A call of the running turn.
#[derive(Clone, Debug)]
enum TurnCall {
    /// Accepted, and at work already.
    Accepted(TaskNo),
    /// Has effects that must not happen twice: a broken stream is asked again, so it waits for the end of the turn.
    Held(ToolCall, TaskId),
}

/// Results wait for the agent to wake up or, while a turn runs, for the moment when it may be broken off.
#[derive(Clone, Copy, Debug)]
struct Wake {
    first: Timestamp,
    at: Timestamp,
}

impl AgentMachine {
    /// A machine for a session that is given by its ledger: [`Ledger::new`] for a new one, which
    /// [`AgentInput::Open`] then opens.
    #[must_use]
    pub fn new(
        session: SessionId,
        system: Option<Arc<str>>,
        definitions: Arc<[ToolDefinition]>,
        policy: AgentPolicy,
        ledger: Ledger,
    ) -> Self {
        Self {
            session,
            system,
            definitions,
            policy,
            ledger,
            phase: Phase::Idle,
            text: String::new(),
            calls: Vec::new(),
            running: HashSet::new(),
            failures: 0,
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
        match input {
            AgentInput::Open { nonce } => {
                self.record(now, Entry::Opened { nonce, at: now });
            }
            AgentInput::User(text) => self.on_user(now, text),
            AgentInput::Turn(turn, event) => self.on_turn(now, turn, event),
            AgentInput::Started(task) => self.on_started(now, task),
            AgentInput::Progressed(task, report) => self.on_progressed(now, task, report),
            AgentInput::Asked { task, asking, request } => self.on_asked(now, task, asking, request),
            AgentInput::Settled(result) => self.on_settled(now, result),
            AgentInput::Timer(timer) => self.on_timer(now, timer),
            AgentInput::Cancel(task, reason) => self.on_cancel(now, task, reason),
            AgentInput::SetDelivery(task, policy) => self.on_set_delivery(now, task, policy),
            AgentInput::Close => self.on_close(now),
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

    /// What the agent is doing.
    #[must_use]
    pub fn state(&self) -> AgentState {
        match (self.ledger.life(), self.phase) {
            (Life::Closed, _) => AgentState::Closed,
            (Life::Closing, _) => AgentState::Closing,
            (Life::Open, Phase::Thinking(_)) => AgentState::Thinking,
            (Life::Open, Phase::Answering(_)) => AgentState::Answering,
            (Life::Open, Phase::Idle | Phase::Backoff(_)) => AgentState::Idle,
        }
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

    /// The failure after which the model was not asked again; `None` once it has been.
    #[must_use]
    pub fn stalled(&self) -> Option<&ModelError> {
        self.stalled.as_ref()
    }

    /// Whether the task has a slot.
    pub(crate) fn status(&self, number: TaskNo) -> Option<TaskStatus> {
        let record = self.ledger.tasks().get(&number)?;
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

    /// Whether a result waits for which the model is woken.
    fn has_news(&self) -> bool {
        let mut waiting = self.ledger.inbox();
        waiting.any(|(number, _)| self.delivery_of(number) != DeliveryPolicy::Silent)
    }

    /// The first result that waits and can't.
    fn urgent(&self) -> Option<TaskNo> {
        let mut waiting = self.ledger.inbox().map(|(number, _)| number);
        waiting.find(|number| self.delivery_of(*number) == DeliveryPolicy::Interrupt)
    }

    fn on_user(&mut self, now: Timestamp, text: String) {
        if self.ledger.life() != Life::Open {
            return;
        }
        self.record(
            now,
            Entry::UserMessage {
                text: text.clone(),
                at: now,
            },
        );
        self.emit(now, AgentEventKind::UserMessage(text));
        self.failures = 0;
        match self.phase {
            Phase::Idle | Phase::Backoff(_) => self.begin_turn(now),
            // The user doesn't wait for results: what isn't in by now goes on in the background.
            Phase::Answering(_) => {
                self.answer(now);
                self.carry_on(now);
            }
            Phase::Thinking(_) => {}
        }
    }

    fn on_turn(&mut self, now: Timestamp, turn: TurnNo, event: TurnEvent) {
        let is_thinking = matches!(self.phase, Phase::Thinking(_));
        let is_running = is_thinking && self.ledger.open_turn().is_some_and(|open| open.turn == turn);
        if !is_running {
            return;
        }
        match event {
            TurnEvent::Text(text) => {
                self.text.push_str(&text);
                self.emit(now, AgentEventKind::Text(turn, text));
            }
            TurnEvent::ToolCall(call, task) => self.on_call(now, turn, call, task),
            TurnEvent::Done(end) => self.on_done(now, turn, end),
            TurnEvent::Failed(error) => self.on_failed(now, turn, error),
        }
    }

    fn on_call(&mut self, now: Timestamp, turn: TurnNo, call: ToolCall, task: TaskId) {
        let is_repeated = self.calls.iter().any(|known| match known {
            TurnCall::Accepted(number) => self
                .ledger
                .tasks()
                .get(number)
                .is_some_and(|record| record.call.id == call.id),
            TurnCall::Held(held, _) => held.id == call.id,
        });
        // Two calls of one id would need two answers on one id, which no provider takes.
        if is_repeated {
            self.emit(
                now,
                AgentEventKind::CallRefused(call, "another call of the turn has the same id".to_owned()),
            );
        } else if self.policy.starts_early(&call.name) {
            let number = self.accept(now, turn, call, task);
            self.calls.push(TurnCall::Accepted(number));
        } else {
            self.calls.push(TurnCall::Held(call, task));
        }
    }

    fn on_done(&mut self, now: Timestamp, turn: TurnNo, end: TurnEnd) {
        let calls = self.accept_held(now, turn);
        let text = std::mem::take(&mut self.text);
        let usage = end.usage;
        let has_calls = !calls.is_empty();
        self.record(
            now,
            Entry::TurnEnded {
                turn,
                text: text.clone(),
                calls,
                end,
                at: now,
            },
        );
        self.emit(now, AgentEventKind::TurnEnded { turn, text, usage });
        self.failures = 0;
        if has_calls {
            self.phase = Phase::Answering(now);
            if self.ledger.has_held_messages() || self.urgent().is_some() {
                // Neither what the user has said in the meantime nor a result that can't wait waits for results.
                self.answer(now);
                self.carry_on(now);
            } else {
                self.answer_if_due(now);
            }
        } else {
            self.carry_on(now);
        }
    }

    fn on_failed(&mut self, now: Timestamp, turn: TurnNo, error: ModelError) {
        self.undo_turn(now, turn, "the turn that made the call failed", &error.to_string());
        // Who was about to break it off goes with the next try.
        self.wake = None;
        self.failures += 1;
        let retry_at = (error.retryable() && self.failures <= self.policy.model_retries).then(|| {
            let doubled = 2_u32.saturating_pow(self.failures - 1);
            let backoff = self.policy.model_backoff.saturating_mul(doubled).min(LONGEST_BACKOFF);
            now.after(backoff.max(error.retry_after().unwrap_or_default()))
        });
        match retry_at {
            Some(at) => {
                self.phase = Phase::Backoff(at);
                self.actions.push(AgentAction::SetTimer(Timer::Retry, at));
            }
            None => {
                self.phase = Phase::Idle;
                self.failures = 0;
                self.stalled = Some(error.clone());
            }
        }
        self.emit(now, AgentEventKind::TurnFailed { turn, error, retry_at });
    }

    fn on_started(&mut self, now: Timestamp, task: TaskId) {
        let Some(number) = self.ledger.number(task) else { return };
        let is_open = self
            .ledger
            .tasks()
            .get(&number)
            .is_some_and(|record| record.result.is_none());
        if is_open && self.running.insert(number) {
            self.emit(now, AgentEventKind::Started(number));
        }
    }

    fn on_progressed(&mut self, now: Timestamp, task: TaskId, report: ProgressReport) {
        let Some(number) = self.ledger.number(task) else { return };
        if self.running.contains(&number) {
            self.emit(now, AgentEventKind::Progressed(number, report));
        }
    }

    fn on_asked(&mut self, now: Timestamp, task: TaskId, asking: TaskId, request: Option<InputRequest>) {
        let Some(number) = self.ledger.number(task) else { return };
        let is_open = self
            .ledger
            .tasks()
            .get(&number)
            .is_some_and(|record| record.result.is_none());
        if is_open {
            self.emit(
                now,
                AgentEventKind::InputRequired {
                    number,
                    asking,
                    request,
                },
            );
        }
    }

    fn on_settled(&mut self, now: Timestamp, result: Arc<AsyncTaskResult>) {
        let Some(number) = self.ledger.number(result.task) else {
            return;
        };
        if self
            .ledger
            .tasks()
            .get(&number)
            .is_none_or(|record| record.result.is_some())
        {
            return;
        }
        self.running.remove(&number);
        self.record(
            now,
            Entry::Settled {
                result: Arc::clone(&result),
            },
        );
        self.emit(now, AgentEventKind::Settled(number, result));
        if self.ledger.life() == Life::Closing {
            return self.close_if_done(now);
        }
        let is_late = self
            .ledger
            .tasks()
            .get(&number)
            .is_some_and(|record| record.told == Told::Ack);
        if is_late {
            self.on_late(now, number);
        } else if matches!(self.phase, Phase::Answering(_)) {
            self.answer_if_due(now);
        }
    }

    /// A result waits for delivery: decides when the model is asked.
    fn on_late(&mut self, now: Timestamp, number: TaskNo) {
        match (self.delivery_of(number), self.phase) {
            (DeliveryPolicy::Interrupt, Phase::Thinking(began)) => {
                let at = began.after(self.policy.wake.quiet);
                if at <= now {
                    self.interrupt(now, number);
                } else if self.wake.is_none() {
                    // The turn has hardly begun: results that come together break off one turn, not one each.
                    self.wake = Some(Wake { first: now, at });
                    self.actions.push(AgentAction::SetTimer(Timer::Wake, at));
                }
            }
            (DeliveryPolicy::Interrupt, Phase::Answering(_)) => {
                self.answer(now);
                self.carry_on(now);
            }
            (DeliveryPolicy::Interrupt, Phase::Idle) => self.begin_turn(now),
            (DeliveryPolicy::WhenIdle, Phase::Idle) => self.wake_later(now),
            // The turn that comes takes it along.
            (DeliveryPolicy::Interrupt, Phase::Backoff(_))
            | (DeliveryPolicy::WhenIdle, Phase::Thinking(_) | Phase::Answering(_) | Phase::Backoff(_))
            | (DeliveryPolicy::Silent, _) => {}
        }
    }

    fn on_timer(&mut self, now: Timestamp, timer: Timer) {
        if self.ledger.life() != Life::Open {
            return;
        }
        match (timer, self.phase) {
            (Timer::Grace(turn), Phase::Answering(_))
                if self.ledger.open_turn().is_some_and(|open| open.turn == turn) =>
            {
                self.answer_if_due(now);
            }
            (Timer::Wake, Phase::Idle) => {
                let due = self.wake.take_if(|wake| wake.at <= now);
                if due.is_some() && self.has_news() {
                    self.begin_turn(now);
                }
            }
            (Timer::Wake, Phase::Thinking(_)) => {
                let due = self.wake.take_if(|wake| wake.at <= now);
                if let Some(number) = due.and_then(|_| self.urgent()) {
                    self.interrupt(now, number);
                }
            }
            (Timer::Retry, Phase::Backoff(at)) if at <= now => self.begin_turn(now),
            _ => {}
        }
    }

    fn on_cancel(&mut self, now: Timestamp, number: TaskNo, reason: String) {
        let Some(record) = self.ledger.tasks().get(&number) else {
            return;
        };
        if record.result.is_some() || record.cancel.is_some() {
            return;
        }
        let task = record.task;
        let entry = Entry::CancelRequested {
            task: number,
            reason: reason.clone(),
            at: now,
        };
        self.record(now, entry);
        self.actions.push(AgentAction::CancelTask(task, reason.clone()));
        self.emit(now, AgentEventKind::CancelRequested(number, reason));
    }

    fn on_set_delivery(&mut self, now: Timestamp, number: TaskNo, policy: DeliveryPolicy) {
        let Some(record) = self.ledger.tasks().get(&number) else {
            return;
        };
        let (told, known) = (record.told, record.delivery);
        let is_open = self.ledger.life() == Life::Open && matches!(told, Told::Nothing | Told::Ack);
        if !is_open || known == Some(policy) {
            return;
        }
        let before = self.delivery_of(number);
        let entry = Entry::DeliverySet {
            task: number,
            policy,
            at: now,
        };
        self.record(now, entry);
        self.emit(now, AgentEventKind::DeliverySet(number, policy));
        let waits = self.ledger.inbox().any(|(waiting, _)| waiting == number);
        if waits && before != policy {
            // Whoever was waited for may not want to be: without a reason left, nothing is woken or broken off.
            let has_reason = match self.phase {
                Phase::Idle => self.has_news(),
                _ => self.urgent().is_some(),
            };
            if !has_reason {
                self.wake = None;
            }
            self.on_late(now, number);
        }
    }

    fn on_close(&mut self, now: Timestamp) {
        const REASON: &str = "the session was closed";
        if self.ledger.life() != Life::Open {
            return;
        }
        match self.phase {
            // What was called gets its answer, so that what is kept of the conversation is well-formed.
            Phase::Answering(_) => self.answer(now),
            Phase::Thinking(_) => {
                if let Some(turn) = self.ledger.open_turn().map(|open| open.turn) {
                    self.actions.push(AgentAction::AbortTurn(turn));
                    self.undo_turn(now, turn, REASON, REASON);
                }
            }
            Phase::Idle | Phase::Backoff(_) => {}
        }
        self.phase = Phase::Idle;
        self.wake = None;
        self.record(now, Entry::Closing { at: now });
        let open: Vec<TaskNo> = self.ledger.open_tasks().collect();
        for number in open {
            self.on_cancel(now, number, REASON.to_owned());
        }
        self.close_if_done(now);
    }

    /// Takes a call into the books, and has it run.
    fn accept(&mut self, now: Timestamp, turn: TurnNo, call: ToolCall, task: TaskId) -> TaskNo {
        let number = self.ledger.next_number();
        let entry = Entry::Accepted {
            turn,
            task,
            number,
            call: call.clone(),
            at: now,
        };
        self.record(now, entry);
        let spec = TaskSpec::new(self.session.clone(), call.clone())
            .with_task(task)
            .with_number(number)
            .with_turn(turn);
        self.actions.push(AgentAction::Submit(spec));
        self.emit(
            now,
            AgentEventKind::Called {
                turn,
                number,
                task,
                call,
            },
        );
        number
    }

    /// Accepts the calls of the running turn that waited for it to be complete; gives all its calls, in order.
    fn accept_held(&mut self, now: Timestamp, turn: TurnNo) -> Vec<TaskNo> {
        let calls = std::mem::take(&mut self.calls);
        calls
            .into_iter()
            .map(|call| match call {
                TurnCall::Accepted(number) => number,
                TurnCall::Held(call, task) => self.accept(now, turn, call, task),
            })
            .collect()
    }

    /// Breaks off the running turn for a result that can't wait, and asks the model again with it. What is finished is kept.
    ///
    /// Calls that waited for the end of the turn run now. What they waited for is that the turn isn't asked again, and it won't be:
    /// the model will see that it made them.
    fn interrupt(&mut self, now: Timestamp, by: TaskNo) {
        let Some(turn) = self.ledger.open_turn().map(|open| open.turn) else {
            return;
        };
        self.actions.push(AgentAction::AbortTurn(turn));
        let calls = self.accept_held(now, turn);
        let text = std::mem::take(&mut self.text);
        let has_calls = !calls.is_empty();
        let entry = Entry::TurnInterrupted {
            turn,
            text: text.clone(),
            calls,
            by,
            at: now,
        };
        self.record(now, entry);
        self.emit(now, AgentEventKind::TurnInterrupted { turn, text, by });
        if has_calls {
            self.answer(now);
        }
        self.failures = 0;
        self.deliver(now, Some(frames::INTERRUPTED));
        self.begin_turn(now);
    }

    /// Takes back the running turn: nothing of it is kept, and what it had started is stopped.
    fn undo_turn(&mut self, now: Timestamp, turn: TurnNo, reason: &str, error: &str) {
        self.text.clear();
        self.calls.clear();
        let started = self
            .ledger
            .open_turn()
            .map(|open| open.calls.clone())
            .unwrap_or_default();
        if !started.is_empty() {
            for number in &started {
                self.on_cancel(now, *number, reason.to_owned());
            }
            self.drop_results(now, started, reason);
        }
        let error = error.to_owned();
        self.record(now, Entry::TurnFailed { turn, error, at: now });
    }

    /// Answers the calls of the turn that has ended, if nothing is worth waiting for.
    fn answer_if_due(&mut self, now: Timestamp) {
        let (Phase::Answering(ended), Some(open)) = (self.phase, self.ledger.open_turn()) else {
            return;
        };
        let mut wait_until = now;
        let mut waits_without_limit = false;
        for number in &open.calls {
            let Some(record) = self.ledger.tasks().get(number) else {
                continue;
            };
            if record.result.is_none() {
                match self.policy.grace_of(&record.call.name) {
                    Some(grace) => wait_until = wait_until.max(ended.after(grace)),
                    None => waits_without_limit = true,
                }
            }
        }
        if waits_without_limit {
            return;
        }
        if wait_until > now {
            let timer = Timer::Grace(open.turn);
            self.actions.push(AgentAction::SetTimer(timer, wait_until));
            return;
        }
        self.answer(now);
        self.carry_on(now);
    }

    /// Gives every call of the turn that has ended its one answer: the result if it is in, else an acknowledgement.
    fn answer(&mut self, now: Timestamp) {
        let Some(open) = self.ledger.open_turn() else { return };
        let turn = open.turn;
        let answers: Vec<Given> = open
            .calls
            .iter()
            .map(|number| match self.status(*number) {
                Some(status) if !status.is_terminal() => Given::Ack(*number, status),
                _ => Given::Result(*number),
            })
            .collect();
        let entry = Entry::Answered {
            turn,
            answers: answers.clone(),
            eager: self.policy.ack == AckPolicy::Eager,
            at: now,
        };
        self.record(now, entry);
        for given in answers {
            let kind = match given {
                Given::Ack(number, _) => AgentEventKind::Acknowledged(number),
                Given::Result(number) => AgentEventKind::Answered(number),
            };
            self.emit(now, kind);
        }
        self.phase = Phase::Idle;
    }

    /// Between two turns: asks the model again if it has something to answer, and rests if not. The only place where the
    /// agent becomes idle, so that nothing can come in unseen.
    fn carry_on(&mut self, now: Timestamp) {
        self.phase = Phase::Idle;
        if self.ledger.is_unanswered() || self.has_news() {
            self.begin_turn(now);
        }
    }

    fn begin_turn(&mut self, now: Timestamp) {
        self.deliver(now, None);
        let turn = self.ledger.next_turn();
        self.record(now, Entry::TurnStarted { turn, at: now });
        self.phase = Phase::Thinking(now);
        self.stalled = None;
        self.wake = None;
        let messages = self.ledger.transcript().messages().to_vec();
        let request = ModelRequest::new(self.session.clone(), messages, Arc::clone(&self.definitions));
        let request = request.with_system(self.system.clone());
        self.actions.push(AgentAction::StartTurn(turn, request));
        self.emit(now, AgentEventKind::TurnStarted(turn));
    }

    /// Puts all results that wait before the model, in one message, with a notice of the library's own.
    fn deliver(&mut self, now: Timestamp, notice: Option<&str>) {
        let tasks: Vec<TaskNo> = self.ledger.inbox().map(|(number, _)| number).collect();
        if tasks.is_empty() {
            return;
        }
        let results = self.ledger.inbox().map(|(number, result)| (number, &**result));
        let text = frames::render(self.ledger.nonce(), results, notice, now);
        let entry = Entry::Delivered {
            tasks: tasks.clone(),
            text,
            at: now,
        };
        self.record(now, entry);
        self.emit(now, AgentEventKind::Delivered(tasks));
    }

    /// Wakes the agent when no further result has come for a while.
    fn wake_later(&mut self, now: Timestamp) {
        let policy = self.policy.wake;
        let first = self.wake.map_or(now, |wake| wake.first);
        let at = now.after(policy.quiet).min(first.after(policy.cap));
        if at <= now {
            self.begin_turn(now);
        } else {
            self.wake = Some(Wake { first, at });
            self.actions.push(AgentAction::SetTimer(Timer::Wake, at));
        }
    }

    fn close_if_done(&mut self, now: Timestamp) {
        if self.ledger.open_tasks().next().is_some() {
            return;
        }
        let untold: Vec<TaskNo> = self.ledger.inbox().map(|(number, _)| number).collect();
        if !untold.is_empty() {
            self.drop_results(now, untold, "the session was closed");
        }
        if self.record(now, Entry::Closed { at: now }) {
            self.stalled = None;
            self.emit(now, AgentEventKind::Closed);
        }
    }

    fn drop_results(&mut self, now: Timestamp, tasks: Vec<TaskNo>, reason: &str) {
        let entry = Entry::Dropped {
            tasks: tasks.clone(),
            reason: reason.to_owned(),
            at: now,
        };
        self.record(now, entry);
        self.emit(now, AgentEventKind::Dropped(tasks, reason.to_owned()));
    }

    /// The one way to change the ledger: by an entry that will be appended. An entry that the ledger refuses is a defect of the
    /// machine; it is reported and not written, so the session stays sound.
    fn record(&mut self, now: Timestamp, entry: Entry) -> bool {
        match self.ledger.apply(&entry) {
            Ok(()) => {
                self.entries.push(entry);
                true
            }
            Err(error) => {
                tracing::error!(session = %self.session, %error, "the agent refused to write an entry that breaks a rule");
                self.emit(now, AgentEventKind::Defect(error.to_string()));
                false
            }
        }
    }

    fn emit(&mut self, now: Timestamp, kind: AgentEventKind) {
        self.actions.push(AgentAction::Emit(AgentEvent::new(now, kind)));
    }
}
