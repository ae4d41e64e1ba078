//! Random conversations of a machine, a model and tools.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_tool_runtime::{
    AsyncTaskResult, Effect, FunctionTool, Message, SessionId, TaskId, TaskOutcome, Tool, ToolCall, ToolDefinition,
    ToolError, ToolErrorKind,
    agent::{
        AgentPolicy, Ledger,
        machine::{AgentAction, AgentInput, AgentMachine, Timer, TurnEvent},
    },
    model::{ModelError, StopReason, TurnEnd},
    task::{TaskSpec, Timestamp, Timing, TurnNo},
    tool::{Background, BoundCall, DeliveryPolicy, ToolRegistry},
};
use proptest::prelude::*;
use serde_json::json;

const TOOLS: [&str; 4] = ["read", "slow", "urgent", "silent"];

/// An event, played if it is possible now: its kind and its amount.
#[derive(Clone, Copy, Debug)]
pub(super) struct Happening(u8, u16);

pub(super) fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    prop::collection::vec(
        (any::<u8>(), any::<u16>()).prop_map(|(what, much)| Happening(what, much)),
        30..160,
    )
}

/// The requests to the model, turn by turn.
pub(super) struct Session {
    machine: AgentMachine,
    now: Timestamp,
    turn: Option<TurnNo>,
    running: BTreeMap<TaskId, TaskSpec>,
    timers: BTreeMap<Timer, Timestamp>,
    next: u128,
    /// Number of messages at the beginning of each turn.
    pub(super) turns: Vec<usize>,
}

impl Session {
    pub(super) fn play(happenings: &[Happening]) -> Self {
        let registry = registry();
        let mut policy = AgentPolicy::new(&registry);
        // Answers to repeated calls are no results that can be collapsed.
        policy.answer_repeats = false;
        let machine = AgentMachine::new(
            SessionId::new("s"),
            None,
            Arc::clone(registry.definitions()),
            policy,
            Ledger::new(),
        );
        let mut session = Self {
            machine,
            now: Timestamp::from_millis(1_000),
            turn: None,
            running: BTreeMap::new(),
            timers: BTreeMap::new(),
            next: 1,
            turns: Vec::new(),
        };
        session.give(AgentInput::Open {
            nonce: "n".to_owned(),
            works_for: None,
        });
        session.give(AgentInput::User("what it is all for".into()));
        for happening in happenings {
            session.happen(*happening);
        }
        session
    }

    pub(super) fn messages(&self) -> &[Arc<Message>] {
        self.machine.ledger().transcript().messages()
    }

    fn happen(&mut self, Happening(what, much): Happening) {
        let size = usize::from(much);
        self.now = self.now.after(Duration::from_millis(u64::from(much % 50)));
        match (what % 16, self.turn) {
            (0, _) => self.give(AgentInput::User(
                format!("user {much} {}", "word ".repeat(size % 40)).into(),
            )),
            (1..=4, Some(turn)) => {
                let task = TaskId::from_u128(self.next);
                let arguments = json!({"q": "<x> & \"y\"\n".repeat(size % 20)});
                let call = ToolCall::new(format!("c{}", self.next), TOOLS[size % TOOLS.len()], arguments);
                self.next += 1;
                self.give(AgentInput::Turn(turn, TurnEvent::ToolCall(call, task)));
            }
            (5, Some(turn)) => {
                let text = TurnEvent::Text(format!("said {much}. {}", "so ".repeat(size % 30)));
                self.give(AgentInput::Turn(turn, text));
            }
            (6..=8, Some(turn)) => {
                let end = TurnEnd::new(StopReason::EndTurn);
                let end = match size % 2 {
                    0 => end,
                    _ => end.with_provider(json!([{"signature": format!("sig {much}")}])),
                };
                self.turn = None;
                self.give(AgentInput::Turn(turn, TurnEvent::Done(end)));
            }
            (9, Some(turn)) if size.is_multiple_of(4) => {
                self.turn = None;
                self.give(AgentInput::Turn(
                    turn,
                    TurnEvent::Failed(ModelError::transient("overloaded")),
                ));
            }
            (10..=12, _) if !self.running.is_empty() => self.settle(size),
            (13..=15, _) | (_, None) => self.fire(),
            _ => {}
        }
    }

    fn settle(&mut self, size: usize) {
        let Some(task) = self.running.keys().nth(size % self.running.len()).copied() else {
            return;
        };
        let Some(spec) = self.running.remove(&task) else { return };
        let long = "line <b> & \"quoted\"\n".repeat(size % 150);
        let outcome = match size % 7 {
            0 => TaskOutcome::Failed(ToolError::new(ToolErrorKind::Failed, long)),
            1 => TaskOutcome::Unknown(long),
            2 => TaskOutcome::Completed(json!(3)),
            3 => TaskOutcome::Completed(json!({"preview": "a tool may say this", "bytes": "too", "handle": long})),
            _ => TaskOutcome::Completed(json!({"page": long})),
        };
        let timing = Timing::new(self.now, Some(self.now), self.now);
        let mut result = AsyncTaskResult::new(&spec, outcome, timing, 1);
        if size.is_multiple_of(3) {
            result = result.with_limit(400);
        }
        self.give(AgentInput::Settled(Arc::new(result)));
    }

    fn fire(&mut self) {
        let next = self.timers.iter().min_by_key(|(_, at)| **at);
        if let Some((timer, at)) = next.map(|(timer, at)| (*timer, *at)) {
            self.timers.remove(&timer);
            self.now = self.now.max(at);
            self.give(AgentInput::Timer(timer));
        }
    }

    fn give(&mut self, input: AgentInput) {
        for action in self.machine.step(self.now, input) {
            match action {
                AgentAction::StartTurn(turn, _) => {
                    self.turn = Some(turn);
                    self.turns.push(self.messages().len());
                }
                AgentAction::AbortTurn(_) => self.turn = None,
                AgentAction::Submit(spec) => {
                    self.running.insert(spec.task, spec);
                }
                AgentAction::SetTimer(timer, at) => {
                    self.timers.insert(timer, at);
                }
                _ => {}
            }
        }
    }
}

fn registry() -> ToolRegistry {
    let tools = TOOLS.map(|name| {
        let definition = ToolDefinition::new(name, "A tool.", json!({"type": "object"}));
        let tool = FunctionTool::from_parts(definition, |_| {
            Ok(BoundCall::future(|_| async { Ok(serde_json::Value::Null) }))
        });
        let tool: Arc<dyn Tool> = match name {
            "read" => tool.effect(Effect::Read).into(),
            "urgent" => tool
                .background(Background::Always)
                .delivery(DeliveryPolicy::Interrupt)
                .into(),
            "silent" => tool
                .background(Background::Always)
                .delivery(DeliveryPolicy::Silent)
                .into(),
            _ => tool.into(),
        };
        tool
    });
    ToolRegistry::new(tools).expect("the tools have different names")
}
