//! A world around one machine: a model, tools, a clock and a journal, of which a test decides every move.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use async_tool_runtime::{
    AgentAction, AgentEventKind, AgentInput, AgentMachine, AgentPolicy, AgentState, AsyncTaskResult, Background,
    BoundCall, DeliveryPolicy, Effect, Entry, FunctionTool, Given, Ledger, Message, ModelError, ModelRequest,
    SessionId, StopReason, TaskId, TaskNo, TaskOutcome, TaskSpec, Timer, Timestamp, Timing, Tool, ToolCall,
    ToolDefinition, ToolRegistry, TurnEnd, TurnEvent, TurnNo,
};
use serde_json::json;

/// One thing that can happen next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Move {
    User,
    Text,
    Call(&'static str),
    Done,
    FailInPassing,
    FailForGood,
    Settle(TaskId),
    SettleAgain(TaskId),
    Timer,
    Cancel(TaskNo),
    SetDelivery(TaskNo, DeliveryPolicy),
    Close,
}

/// How many of each a run may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) users: u32,
    pub(super) calls: u32,
    pub(super) failures: u32,
    pub(super) again: u32,
    pub(super) cancels: u32,
    pub(super) sets: u32,
    pub(super) closes: u32,
    pub(super) turns: u32,
    /// What the model may call.
    pub(super) tools: &'static [&'static str],
}

/// The tools of the world, one for each way a call can be treated.
pub(super) const TOOLS: [&str; 7] = ["read", "once", "always", "never", "urgent", "urgent_once", "silent"];

const POLICIES: [DeliveryPolicy; 3] = [
    DeliveryPolicy::WhenIdle,
    DeliveryPolicy::Interrupt,
    DeliveryPolicy::Silent,
];

#[derive(Clone)]
pub(super) struct World {
    pub(super) machine: AgentMachine,
    pub(super) now: Timestamp,
    pub(super) budget: Budget,
    /// What is durable.
    pub(super) journal: Vec<Entry>,
    pub(super) turn: Option<(TurnNo, bool)>,
    /// What the running turn has said and called so far.
    part: Part,
    /// What turns have said and called that ended or were broken off: the model must see it again.
    kept: Part,
    /// How long a turn runs before it may be broken off.
    quiet: Duration,
    pub(super) running: BTreeMap<TaskId, TaskSpec>,
    results: BTreeMap<TaskId, Arc<AsyncTaskResult>>,
    cancelled: HashSet<TaskId>,
    timers: BTreeMap<Timer, Timestamp>,
    pub(super) requests: Vec<ModelRequest>,
    users: Vec<String>,
    next_task: u128,
}

/// Texts and the ids of calls.
#[derive(Clone, Default)]
struct Part {
    texts: Vec<String>,
    calls: Vec<String>,
}

impl World {
    pub(super) fn new(budget: Budget, adjust: impl FnOnce(&mut AgentPolicy)) -> Self {
        let registry = registry();
        let mut policy = AgentPolicy::new(&registry);
        adjust(&mut policy);
        let quiet = policy.wake.quiet;
        let machine = AgentMachine::new(
            SessionId::new("s"),
            None,
            Arc::clone(registry.definitions()),
            policy,
            Ledger::new(),
        );
        let mut world = Self {
            machine,
            now: Timestamp::from_millis(1_000),
            budget,
            journal: Vec::new(),
            turn: None,
            part: Part::default(),
            kept: Part::default(),
            quiet,
            running: BTreeMap::new(),
            results: BTreeMap::new(),
            cancelled: HashSet::new(),
            timers: BTreeMap::new(),
            requests: Vec::new(),
            users: Vec::new(),
            next_task: 1,
        };
        world.give(AgentInput::Open { nonce: "n".to_owned() });
        world
    }

    /// All that can happen next.
    pub(super) fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        let is_closing = self.is_closing();
        if self.budget.users > 0 && !is_closing {
            moves.push(Move::User);
        }
        if let Some((_, has_text)) = self.turn {
            if !has_text {
                moves.push(Move::Text);
            }
            if self.budget.calls > 0 {
                moves.extend(self.budget.tools.iter().map(|tool| Move::Call(tool)));
            }
            moves.push(Move::Done);
            if self.budget.failures > 0 {
                moves.extend([Move::FailInPassing, Move::FailForGood]);
            }
        }
        moves.extend(self.running.keys().map(|task| Move::Settle(*task)));
        if self.budget.again > 0 {
            moves.extend(self.results.keys().map(|task| Move::SettleAgain(*task)));
        }
        if !self.timers.is_empty() {
            moves.push(Move::Timer);
        }
        if self.budget.cancels > 0 {
            moves.extend(self.machine.ledger().open_tasks().map(Move::Cancel));
        }
        if self.budget.sets > 0 {
            let ledger = self.machine.ledger();
            let tasks = ledger.open_tasks().chain(ledger.inbox().map(|(number, _)| number));
            moves.extend(tasks.flat_map(|task| POLICIES.map(|policy| Move::SetDelivery(task, policy))));
        }
        if self.budget.closes > 0 && !is_closing {
            moves.push(Move::Close);
        }
        moves
    }

    pub(super) fn play(&mut self, what: &Move) {
        match what {
            Move::User => {
                self.budget.users -= 1;
                self.user();
            }
            Move::Text => {
                let (turn, has_text) = self.turn.as_mut().expect("a turn runs");
                *has_text = true;
                let text = format!("said in {turn}");
                self.turn_event(TurnEvent::Text(text));
            }
            Move::Call(tool) => {
                self.budget.calls -= 1;
                let task = TaskId::from_u128(self.next_task);
                let call = ToolCall::new(format!("c{}", self.next_task), *tool, json!({}));
                self.next_task += 1;
                self.turn_event(TurnEvent::ToolCall(call, task));
            }
            Move::Done => self.turn_event(TurnEvent::Done(TurnEnd::new(StopReason::EndTurn))),
            Move::FailInPassing => {
                self.budget.failures -= 1;
                self.turn_event(TurnEvent::Failed(ModelError::transient("overloaded")));
            }
            Move::FailForGood => {
                self.budget.failures -= 1;
                self.turn_event(TurnEvent::Failed(ModelError::permanent("refused")));
            }
            Move::Settle(task) => self.settle(*task),
            Move::SettleAgain(task) => {
                self.budget.again -= 1;
                let mut result = (*self.results[task]).clone();
                result.outcome = TaskOutcome::Completed(json!("a second end"));
                self.give(AgentInput::Settled(Arc::new(result)));
            }
            Move::Timer => self.fire(),
            Move::Cancel(number) => {
                self.budget.cancels -= 1;
                self.give(AgentInput::Cancel(*number, "not wanted".to_owned()));
            }
            Move::SetDelivery(number, policy) => {
                self.budget.sets -= 1;
                self.give(AgentInput::SetDelivery(*number, *policy));
            }
            Move::Close => {
                self.budget.closes -= 1;
                self.give(AgentInput::Close);
            }
        }
    }

    pub(super) fn user(&mut self) {
        let text = format!("user {}", self.users.len() + 1);
        self.users.push(text.clone());
        let was_thinking = self.turn.is_some();
        let asked = self.requests.len();
        self.give(AgentInput::User(text));
        assert!(
            was_thinking || self.requests.len() == asked + 1,
            "invariant 7: a user message that finds no turn running is answered at once"
        );
    }

    pub(super) fn turn_event(&mut self, event: TurnEvent) {
        let (turn, _) = self.turn.expect("a turn runs");
        match &event {
            TurnEvent::Text(text) => self.part.texts.push(text.clone()),
            TurnEvent::ToolCall(call, _) => self.part.calls.push(call.id.to_string()),
            TurnEvent::Done(_) => {
                self.keep();
                self.turn = None;
            }
            _ => {
                self.part = Part::default();
                self.turn = None;
            }
        }
        self.give(AgentInput::Turn(turn, event));
    }

    /// What has streamed of the running turn is to stay.
    fn keep(&mut self) {
        let Part { texts, calls } = std::mem::take(&mut self.part);
        self.kept.texts.extend(texts);
        self.kept.calls.extend(calls);
    }

    pub(super) fn settle(&mut self, task: TaskId) {
        let spec = self.running.remove(&task).expect("the task runs");
        self.give(AgentInput::Started(task));
        let outcome = if self.cancelled.contains(&task) {
            TaskOutcome::Cancelled("not wanted".to_owned())
        } else {
            TaskOutcome::Completed(json!({"of": spec.call.id}))
        };
        let timing = Timing::new(self.now, Some(self.now), self.now);
        let result = AsyncTaskResult::new(&spec, outcome, timing, 1);
        let result = Arc::new(result);
        self.results.insert(task, Arc::clone(&result));
        self.give(AgentInput::Settled(result));
    }

    /// Lets time go on to the next timer.
    pub(super) fn fire(&mut self) {
        let (timer, at) = self
            .timers
            .iter()
            .min_by_key(|(_, at)| **at)
            .map(|(timer, at)| (*timer, *at))
            .expect("a timer is set");
        self.timers.remove(&timer);
        self.now = self.now.max(at);
        self.give(AgentInput::Timer(timer));
    }

    /// Gives one input, carries out the actions, and checks everything.
    pub(super) fn give(&mut self, input: AgentInput) {
        let actions = self.machine.step(self.now, input);
        for action in actions {
            match action {
                AgentAction::Append(entries) => self.journal.extend(entries),
                AgentAction::StartTurn(turn, request) => self.start_turn(turn, request),
                AgentAction::AbortTurn(turn) => {
                    self.turn
                        .take_if(|(running, _)| *running == turn)
                        .expect("a turn that runs is aborted");
                    if self.is_closing() {
                        self.part = Part::default();
                    } else {
                        self.keep();
                    }
                }
                AgentAction::Submit(spec) => {
                    let is_accepted = self
                        .journal
                        .iter()
                        .any(|entry| matches!(entry, Entry::Accepted { task, .. } if *task == spec.task));
                    assert!(is_accepted, "invariant 6: a call is accepted before it runs");
                    let known = self.running.insert(spec.task, spec);
                    assert!(known.is_none(), "invariant 2: a task runs once");
                }
                AgentAction::CancelTask(task, _) => {
                    self.cancelled.insert(task);
                }
                AgentAction::SetTimer(timer, at) => {
                    self.timers.insert(timer, at);
                }
                AgentAction::Emit(event) => {
                    assert!(!matches!(event.kind, AgentEventKind::Defect(_)), "{:?}", event.kind);
                }
                other => panic!("the world doesn't know {other:?}"),
            }
        }
        self.check();
    }

    fn start_turn(&mut self, turn: TurnNo, request: ModelRequest) {
        assert!(self.turn.is_none(), "invariant 1: at most one turn runs");
        self.budget.turns = self.budget.turns.saturating_sub(1);
        if self.budget.turns == 0 {
            // A model that calls for ever is no world to explore.
            self.budget.calls = 0;
        }
        let durable = Ledger::fold(&self.journal).expect("the journal is sound");
        assert_eq!(
            request.messages,
            durable.transcript().messages(),
            "invariant 6: the model is shown what is durable, and nothing else"
        );
        check_answers(&request.messages);
        self.check_kept(&request.messages);
        self.check_reason();
        for text in &self.users {
            let is_shown = request
                .messages
                .iter()
                .any(|message| matches!(&**message, Message::User { text: said } if said == text));
            assert!(is_shown, "invariant 7: `{text}` waits although a turn starts");
        }
        self.turn = Some((turn, false));
        self.requests.push(request);
    }

    /// What was finished of a turn that was broken off is kept, as what was said and called by others is.
    fn check_kept(&self, messages: &[Arc<Message>]) {
        let (mut texts, mut calls) = (HashSet::new(), HashSet::new());
        for message in messages {
            if let Message::Assistant { text, calls: made, .. } = &**message {
                texts.insert(text.clone());
                calls.extend(made.iter().map(|call| call.id.to_string()));
            }
        }
        for text in &self.kept.texts {
            assert!(texts.contains(text), "`{text}` was said, and the model doesn't see it");
        }
        for call in &self.kept.calls {
            assert!(calls.contains(call), "{call} was made, and the model doesn't see it");
        }
    }

    /// A turn has a reason, which is not a silent result; and it takes along all results that wait.
    fn check_reason(&self) {
        let Some((Entry::TurnStarted { .. }, before)) = self.journal.split_last() else {
            panic!("a turn is written down before it starts")
        };
        let ledger = Ledger::fold(before).expect("the journal is sound");
        assert_eq!(ledger.inbox().count(), 0, "a turn takes along all results that wait");
        let is_asked = match before.split_last() {
            Some((Entry::Delivered { tasks, .. }, before)) => {
                let has_news = tasks
                    .iter()
                    .any(|number| self.delivery_of(*number) != DeliveryPolicy::Silent);
                has_news || Ledger::fold(before).expect("the journal is sound").is_unanswered()
            }
            _ => ledger.is_unanswered(),
        };
        assert!(is_asked, "a turn starts, and nobody wanted it");
    }

    /// When the result of a task is to be delivered.
    fn delivery_of(&self, task: TaskNo) -> DeliveryPolicy {
        let set = self.journal.iter().rev().find_map(|entry| match entry {
            Entry::DeliverySet {
                task: known, policy, ..
            } if *known == task => Some(*policy),
            _ => None,
        });
        let own = self.journal.iter().find_map(|entry| match entry {
            Entry::Accepted { number, call, .. } if *number == task => Some(match &*call.name {
                "urgent" | "urgent_once" => DeliveryPolicy::Interrupt,
                "silent" => DeliveryPolicy::Silent,
                _ => DeliveryPolicy::WhenIdle,
            }),
            _ => None,
        });
        set.or(own).expect("the task was accepted")
    }

    fn is_closing(&self) -> bool {
        self.journal.iter().any(|entry| matches!(entry, Entry::Closing { .. }))
    }

    /// A result that can't wait doesn't, and one that wakes nobody keeps nobody awake.
    fn check_delivery(&self) {
        if self.is_closing() {
            return;
        }
        let ledger = self.machine.ledger();
        let waiting: Vec<DeliveryPolicy> = ledger.inbox().map(|(number, _)| self.delivery_of(number)).collect();
        if waiting.contains(&DeliveryPolicy::Interrupt) {
            let has_hardly_begun = self.turn.is_some()
                && self.quiet > Duration::ZERO
                && self.timers.get(&Timer::Wake).is_some_and(|at| *at >= self.now);
            let has_failed = self.timers.contains_key(&Timer::Retry) || self.machine.stalled().is_some();
            assert!(
                has_hardly_begun || (self.turn.is_none() && has_failed),
                "a result that can't wait waits"
            );
        }
        let is_over = self.turn.is_none() && ledger.open_tasks().next().is_none() && !ledger.is_unanswered();
        if is_over && waiting.iter().all(|policy| *policy == DeliveryPolicy::Silent) {
            assert!(
                self.machine.is_quiescent(),
                "an agent that has only silent results is at rest"
            );
        }
    }

    fn check(&self) {
        self.check_delivery();
        let folded = Ledger::fold(&self.journal).expect("the journal is sound");
        assert_eq!(
            &folded,
            self.machine.ledger(),
            "invariant 9: the fold is the live machine's ledger"
        );
        let mut settled = HashSet::new();
        let mut told = HashMap::<TaskNo, u32>::new();
        let mut owed = HashSet::new();
        let mut is_closing = false;
        let mut interrupter = None;
        for entry in &self.journal {
            match entry {
                Entry::Closing { .. } => is_closing = true,
                Entry::TurnInterrupted { by, .. } => interrupter = Some(*by),
                Entry::TurnStarted { .. } => assert_eq!(
                    interrupter, None,
                    "a turn is broken off, and the next one starts without what it was for"
                ),
                Entry::Settled { result } => {
                    let number = result.number.expect("tasks of an agent are numbered");
                    assert!(settled.insert(number), "invariant 2: {number} is settled once");
                }
                Entry::Answered { answers, .. } => {
                    for given in answers {
                        if let Given::Result(number) = given {
                            assert!(
                                settled.contains(number),
                                "invariant 6: {number} is told after it was settled"
                            );
                            *told.entry(*number).or_default() += 1;
                        }
                        if let Given::Ack(number, _) = given {
                            owed.insert(*number);
                        }
                    }
                }
                Entry::Delivered { tasks, .. } | Entry::Dropped { tasks, .. } => {
                    interrupter.take_if(|by| tasks.contains(by));
                    for number in tasks {
                        if matches!(entry, Entry::Dropped { .. }) {
                            assert!(
                                is_closing || !owed.contains(number),
                                "invariant 3: the model was promised {number}, and the session goes on"
                            );
                        } else {
                            assert!(
                                settled.contains(number),
                                "invariant 6: {number} is told after it was settled"
                            );
                        }
                        *told.entry(*number).or_default() += 1;
                    }
                }
                _ => {}
            }
        }
        for (number, times) in told {
            assert_eq!(times, 1, "invariant 3: {number} is told or dropped once");
        }
    }

    /// Lets everything that runs come to its end, and checks that nothing was lost and nothing hangs.
    pub(super) fn finish(mut self) {
        let mut steps = 0;
        loop {
            steps += 1;
            assert!(steps < 1_000, "wedged: the session never comes to rest");
            if self.turn.is_some() {
                self.turn_event(TurnEvent::Done(TurnEnd::new(StopReason::EndTurn)));
            } else if let Some(task) = self.running.keys().next().copied() {
                self.settle(task);
            } else if !self.timers.is_empty() {
                self.fire();
            } else if self.machine.stalled().is_some() && self.machine.state() != AgentState::Closed {
                // Whoever comes next finds everything as it was.
                self.user();
            } else if self.machine.state() != AgentState::Closed && self.machine.ledger().inbox().count() > 0 {
                assert!(
                    self.machine.is_quiescent(),
                    "silent results are left, and the agent isn't at rest"
                );
                self.user();
            } else {
                break;
            }
        }
        assert!(
            self.machine.is_quiescent(),
            "wedged: nothing can happen, and the agent isn't at rest"
        );
        assert_eq!(
            self.machine.ledger().inbox().count(),
            0,
            "invariant 3: a result was never told"
        );
        let mut owed: HashSet<TaskNo> = HashSet::new();
        for entry in &self.journal {
            match entry {
                Entry::Accepted { number, .. } => {
                    owed.insert(*number);
                }
                Entry::Answered { answers, .. } => {
                    for given in answers {
                        if let Given::Result(number) = given {
                            owed.remove(number);
                        }
                    }
                }
                Entry::Delivered { tasks, .. } | Entry::Dropped { tasks, .. } => {
                    for number in tasks {
                        owed.remove(number);
                    }
                }
                _ => {}
            }
        }
        assert!(owed.is_empty(), "invariant 3: lost {owed:?}");
    }

    /// What tells this state from others.
    pub(super) fn fingerprint(&self) -> String {
        format!(
            "{:?}{:?}{:?}{:?}{:?}{:?}",
            self.machine,
            self.budget,
            self.turn,
            self.running.keys(),
            self.timers,
            self.now
        )
    }
}

/// Invariants 4 and 5: every call has exactly one answer, directly after the message that made it, and nothing else is in that
/// message.
fn check_answers(messages: &[Arc<Message>]) {
    let mut open: Option<Vec<String>> = None;
    for message in messages {
        match (&**message, open.take()) {
            (Message::Assistant { calls, .. }, None) => {
                open = (!calls.is_empty()).then(|| calls.iter().map(|call| call.id.to_string()).collect());
            }
            (Message::Answers(answers), Some(calls)) => {
                let answered: Vec<String> = answers.iter().map(|answer| answer.call.to_string()).collect();
                assert_eq!(answered, calls, "invariant 4: every call has exactly one answer");
            }
            (Message::Answers(_), None) => panic!("invariant 5: an answer without a call"),
            (other, Some(calls)) => panic!("invariant 4: {other:?} comes before the answers to {calls:?}"),
            (_, None) => {}
        }
    }
    assert!(
        open.is_none(),
        "invariant 4: the model is asked while {open:?} have no answer"
    );
}

fn registry() -> ToolRegistry {
    let tools = TOOLS.map(|name| {
        let definition = ToolDefinition::new(name, "A tool of the world.", json!({"type": "object"}));
        let tool = FunctionTool::from_parts(definition, |_| {
            Ok(BoundCall::future(|_| async { Ok(serde_json::Value::Null) }))
        });
        let tool: Arc<dyn Tool> = match name {
            "read" => tool.effect(Effect::Read).into(),
            "always" => tool.background(Background::Always).into(),
            "urgent" => tool
                .effect(Effect::Read)
                .background(Background::Always)
                .delivery(DeliveryPolicy::Interrupt)
                .into(),
            "urgent_once" => tool
                .background(Background::Always)
                .delivery(DeliveryPolicy::Interrupt)
                .into(),
            "silent" => tool
                .effect(Effect::Read)
                .background(Background::Always)
                .delivery(DeliveryPolicy::Silent)
                .into(),
            "never" => tool.effect(Effect::Idempotent).background(Background::Never).into(),
            _ => tool.into(),
        };
        tool
    });
    ToolRegistry::new(tools).expect("the tools have different names")
}
