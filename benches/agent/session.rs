//! A realistic session of the agent machine, without model, tools and clock.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use async_tool_runtime::{
    AsyncTaskResult, Effect, FunctionTool, SessionId, TaskId, TaskOutcome, Tool, ToolCall, ToolDefinition,
    agent::{
        AgentPolicy, CloseMode, Ledger,
        machine::{AgentAction, AgentInput, AgentMachine, Timer, TurnEvent},
    },
    journal::Entry,
    model::{ModelRequest, StopReason, TurnEnd},
    task::{TaskSpec, Timestamp, Timing, TurnNo},
    tool::{Arguments, BoundCall, ToolRegistry},
};
use serde_json::{Value, json};

/// Number of tasks that run at any time.
const OPEN: usize = 50;
/// Running time of each task, longer than every grace.
const TASK: Duration = Duration::from_secs(10);

/// A machine with its open turn, tasks and timers. Its actions take effect at once.
#[derive(Clone)]
pub(crate) struct Session {
    machine: AgentMachine,
    now: Timestamp,
    running: VecDeque<TaskSpec>,
    turn: Option<TurnNo>,
    timers: BTreeMap<Timer, Timestamp>,
    calls: u32,
}

/// Observer of the inputs of a session.
pub(crate) trait Watch {
    /// Observes an input, the time of its step, and the resulting actions.
    fn stepped(&mut self, input: &AgentInput, took: Duration, actions: &[AgentAction]);
}

impl Session {
    /// A session with [`OPEN`] running tasks.
    pub(crate) fn new(watch: &mut impl Watch) -> Self {
        let registry = registry();
        let mut session = Self {
            machine: AgentMachine::new(
                SessionId::new("bench"),
                Some("You look things up.".into()),
                registry.definitions().clone(),
                AgentPolicy::new(&registry),
                Ledger::new(),
            ),
            now: Timestamp::from_millis(1_700_000_000_000),
            running: VecDeque::new(),
            turn: None,
            timers: BTreeMap::new(),
            calls: 0,
        };
        let nonce = "0123456789abcdef0123456789abcdef".to_owned();
        session.give(AgentInput::Open { nonce, works_for: None }, watch);
        session.give(AgentInput::User("Look everything up.".into()), watch);
        for _ in 0..OPEN {
            session.call("look_up", watch);
        }
        session.end_turn(StopReason::ToolCalls, watch);
        session.speak(10, watch);
        session.end_turn(StopReason::EndTurn, watch);
        session
    }

    /// Plays an exchange with the user: a question, two background calls, two results of earlier calls, and the model's texts.
    ///
    /// It adds six messages and two tasks; the number of running tasks stays the same.
    pub(crate) fn exchange(&mut self, watch: &mut impl Watch) {
        self.give(AgentInput::User("And what about the arctic tern?".into()), watch);
        self.speak(20, watch);
        self.call("look_up", watch);
        self.call("book", watch);
        self.end_turn(StopReason::ToolCalls, watch);
        self.speak(10, watch);
        self.end_turn(StopReason::EndTurn, watch);
        for _ in 0..2 {
            self.settle(watch);
        }
        self.fire(Timer::Wake, watch);
        self.speak(20, watch);
        self.end_turn(StopReason::EndTurn, watch);
    }

    /// Number of messages that the model is shown.
    pub(crate) fn messages(&self) -> usize {
        self.machine.ledger().transcript().messages().len()
    }

    /// Number of tasks that have not ended.
    pub(crate) fn open(&self) -> usize {
        self.machine.ledger().open_tasks().count()
    }

    fn speak(&mut self, pieces: u32, watch: &mut impl Watch) {
        for _ in 0..pieces {
            self.pass(15);
            self.turn_event(TurnEvent::Text(" the migration of".to_owned()), watch);
        }
    }

    fn call(&mut self, tool: &str, watch: &mut impl Watch) {
        self.calls += 1;
        self.pass(150);
        let call = ToolCall::new(
            format!("call_{}", self.calls),
            tool,
            json!({"topic": "the migration of the arctic tern", "sources": 5}),
        );
        self.turn_event(TurnEvent::ToolCall(call, TaskId::new()), watch);
    }

    /// Ends the turn. If the machine waits for the calls, the grace passes, so that they are acknowledged.
    fn end_turn(&mut self, stop: StopReason, watch: &mut impl Watch) {
        self.pass(5);
        let turn = self.turn.take().expect("a turn runs");
        self.give(AgentInput::Turn(turn, TurnEvent::Done(TurnEnd::new(stop))), watch);
        if stop == StopReason::ToolCalls && self.turn.is_none() {
            self.fire(Timer::Grace(turn), watch);
        }
    }

    fn settle(&mut self, watch: &mut impl Watch) {
        self.pass(1);
        let spec = self.running.pop_front().expect("fifty tasks run");
        let timing = Timing::new(
            Timestamp::from_millis(self.now.as_millis() - TASK.as_millis() as u64),
            None,
            self.now,
        );
        let outcome =
            TaskOutcome::Completed(json!({"found": "It flies from pole to pole, and back, each year.", "sources": 5}));
        let result = AsyncTaskResult::new(&spec, outcome, timing, 1);
        self.give(AgentInput::Settled(Arc::new(result)), watch);
    }

    fn fire(&mut self, timer: Timer, watch: &mut impl Watch) {
        let at = self.timers.remove(&timer).expect("the timer is set");
        self.now = self.now.max(at);
        self.give(AgentInput::Timer(timer), watch);
    }

    fn turn_event(&mut self, event: TurnEvent, watch: &mut impl Watch) {
        let turn = self.turn.expect("a turn runs");
        self.give(AgentInput::Turn(turn, event), watch);
    }

    fn pass(&mut self, millis: u64) {
        self.now = self.now.after(Duration::from_millis(millis));
    }

    fn give(&mut self, input: AgentInput, watch: &mut impl Watch) {
        let given = input.clone();
        let begin = Instant::now();
        let actions = self.machine.step(self.now, input);
        let took = begin.elapsed();
        watch.stepped(&given, took, &actions);
        for action in actions {
            match action {
                AgentAction::StartTurn(turn, ModelRequest { .. }) => self.turn = Some(turn),
                AgentAction::Submit(spec) => self.running.push_back(spec),
                AgentAction::SetTimer(timer, at) => {
                    self.timers.insert(timer, at);
                }
                _ => {}
            }
        }
    }

    /// Ends the session.
    pub(crate) fn close(mut self, watch: &mut impl Watch) {
        self.give(AgentInput::Close(CloseMode::Cancel), watch);
    }
}

/// Entries of a session with this many messages, grouped into its appends.
pub(crate) fn appends(messages: usize) -> Vec<Vec<Entry>> {
    struct Appends(Vec<Vec<Entry>>);

    impl Watch for Appends {
        fn stepped(&mut self, _: &AgentInput, _: Duration, actions: &[AgentAction]) {
            self.0.extend(actions.iter().filter_map(|action| match action {
                AgentAction::Append(entries) => Some(entries.clone()),
                _ => None,
            }));
        }
    }

    let mut appends = Appends(Vec::new());
    let mut session = Session::new(&mut appends);
    while session.messages() < messages {
        session.exchange(&mut appends);
    }
    session.close(&mut appends);
    appends.0
}

fn registry() -> ToolRegistry {
    let tool = |name: &str, effect| -> Arc<dyn Tool> {
        let definition = ToolDefinition::new(name, "A tool of the bench.", json!({"type": "object"}));
        let function = |_: &Arguments| Ok(BoundCall::future(|_| async { Ok(Value::Null) }));
        FunctionTool::from_parts(definition, function).effect(effect).into()
    };
    ToolRegistry::new([tool("look_up", Effect::Read), tool("book", Effect::Once)]).expect("two tools of two names")
}
