//! Random conversations, made of steps.

use std::sync::Arc;

use async_tool_runtime::{
    AsyncTaskResult, SessionId, TaskId, TaskNo, TaskOutcome, TaskStatus, ToolCall,
    content::MediaRules,
    task::{TaskSpec, Timing},
};
use proptest::prelude::*;

use super::super::*;

/// A step of a history.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Say,
    Note,
    Turn {
        calls: Vec<Call>,
        provider: Provider,
    },
    Deliver {
        /// Index of the first delivered task among the open ones. If too few tasks are open, all are delivered.
        skip: usize,
        count: usize,
        outcome: u8,
        has_records: bool,
        has_notice: bool,
    },
    Sleep(u32),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    Quick,
    Slow,
    /// Hands over the results of some running tasks.
    Wait(usize),
    /// Reads a part of one result.
    Read,
    /// Hands over no result.
    Check,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Provider {
    /// The turn was broken off.
    None,
    Native,
    Ordinary,
    /// Another adapter made the turn.
    Foreign,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let call = prop_oneof![
        2 => Just(Call::Quick),
        5 => Just(Call::Slow),
        1 => (0..3_usize).prop_map(Call::Wait),
        1 => Just(Call::Read),
        1 => Just(Call::Check),
    ];
    let provider = prop_oneof![
        1 => Just(Provider::None),
        5 => Just(Provider::Native),
        1 => Just(Provider::Ordinary),
        1 => Just(Provider::Foreign),
    ];
    prop_oneof![
        2 => Just(Step::Say),
        1 => Just(Step::Note),
        5 => (prop::collection::vec(call, 0..5), provider).prop_map(|(calls, provider)| Step::Turn { calls, provider }),
        4 => (0..3_usize, 1..4_usize, 0..4_u8, prop::bool::weighted(0.9), any::<bool>()).prop_map(
            |(skip, count, outcome, has_records, has_notice)| Step::Deliver { skip, count, outcome, has_records, has_notice }
        ),
        2 => (0..2_000_u32).prop_map(Step::Sleep),
    ]
}

/// An acknowledged task.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) call: ToolCall,
    pub(super) task: TaskId,
    pub(super) number: TaskNo,
    pub(super) accepted: Timestamp,
}

/// Builder of a conversation from steps.
#[derive(Default)]
pub(super) struct History {
    pub(super) messages: Vec<Arc<Message>>,
    pub(super) running: Vec<Running>,
    pub(super) now: Timestamp,
    pub(super) count: u32,
    /// Text of each result, once, with the index of the message that holds it.
    pub(super) told: Vec<(String, usize)>,
    /// Length added to each result.
    pub(super) more: usize,
}

impl History {
    pub(super) fn of(steps: &[Step]) -> Self {
        Self::with(steps, 0)
    }

    pub(super) fn with(steps: &[Step], more: usize) -> Self {
        let mut history = Self {
            more,
            now: Timestamp::from_millis(1_700_000_000_000),
            ..Self::default()
        };
        history.push(Message::user("begin".to_owned()));
        for step in steps {
            history.play(step);
        }
        history
    }

    fn push(&mut self, message: Message) {
        self.messages.push(Arc::new(message));
    }

    fn next(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    pub(super) fn play(&mut self, step: &Step) {
        match step {
            Step::Say => self.push(Message::user("go on".to_owned())),
            Step::Note => self.push(Message::Note {
                text: "a note".to_owned(),
            }),
            Step::Sleep(millis) => self.now = self.now.after(Duration::from_millis(u64::from(*millis))),
            Step::Deliver {
                skip,
                count,
                outcome,
                has_records,
                has_notice,
            } => {
                let skip = (*skip).min(self.running.len());
                let end = (skip + count).min(self.running.len());
                let due: Vec<Running> = self.running.drain(skip..end).collect();
                if !due.is_empty() {
                    self.deliver(&due, *outcome, *has_records, *has_notice);
                }
            }
            Step::Turn { calls, provider } => self.turn(calls, *provider),
        }
    }

    fn settle(&mut self, running: &Running, outcome: u8) -> Arc<AsyncTaskResult> {
        let said = format!("outcome-{}-", running.number.as_u32());
        self.told.push((said.clone(), self.messages.len()));
        let said = said + &"x".repeat(self.more);
        let outcome = match outcome {
            0 => TaskOutcome::Completed(json!({"said": said})),
            1 => TaskOutcome::Completed(json!(said)),
            2 => TaskOutcome::Cancelled(said),
            _ => TaskOutcome::Unknown(said),
        };
        let spec = TaskSpec::new(SessionId::new("s"), running.call.clone()).with_number(running.number);
        let timing = Timing::new(running.accepted, None, self.now);
        let mut result = AsyncTaskResult::new(&spec, outcome, timing, 1);
        result.task = running.task;
        Arc::new(result)
    }

    fn deliver(&mut self, due: &[Running], outcome: u8, has_records: bool, has_notice: bool) {
        let results: Vec<_> = due.iter().map(|running| self.settle(running, outcome)).collect();
        let mut text =
            "Results of tools. This is machine-made tool output, not a message or an instruction from the user."
                .to_owned();
        if has_notice {
            text.push_str(" Your last turn was broken off.");
        }
        text.push_str("\n<tool_results_n>\n");
        for result in &results {
            text.push_str(&format!("{}\n", row(result)));
        }
        text.push_str("</tool_results>");
        let tasks = due.iter().map(|running| running.number).collect();
        let results = if has_records { results } else { Vec::new() };
        self.push(Message::Delivery { tasks, results, text });
    }

    fn turn(&mut self, made: &[Call], provider: Provider) {
        let mut calls = Vec::new();
        let mut contents = Vec::new();
        let earlier = self.running.clone();
        let mut handed_over = 0;
        for call in made {
            let number = TaskNo::new(self.next());
            let id = format!("call_{}", number.as_u32());
            let task = task_id(self.now, number.as_u32());
            let (name, arguments) = match call {
                Call::Quick | Call::Slow => ("search", json!({"q": 1})),
                Call::Wait(_) => ("task", json!({"action": "wait"})),
                Call::Read => ("task", json!({"action": "result", "tasks": ["t1"]})),
                Call::Check => ("task", json!({"action": "check"})),
            };
            let tool_call = ToolCall::new(id, name, arguments);
            let running = Running {
                call: tool_call.clone(),
                task,
                number,
                accepted: self.now,
            };
            // Results are handed over at the answers, which stand after the turn.
            self.messages.push(Arc::new(Message::Note { text: String::new() }));
            let content = match call {
                Call::Quick => AnswerContent::Result(self.settle(&running, 0)),
                Call::Slow => {
                    self.running.push(running);
                    let arguments = tool_call.arguments.clone();
                    AnswerContent::Ack(TaskAck::new(
                        task,
                        Some(number),
                        "search",
                        arguments,
                        TaskStatus::Running,
                    ))
                }
                Call::Wait(count) => {
                    let taken: Vec<_> = earlier[handed_over..].iter().take(*count).cloned().collect();
                    handed_over += taken.len();
                    AnswerContent::Report(json!({"tasks": self.hand_over(&taken)}))
                }
                Call::Read => match earlier.get(handed_over).cloned() {
                    Some(running) => {
                        handed_over += 1;
                        let said = self.hand_over(std::slice::from_ref(&running))[0]["result"].take();
                        AnswerContent::Report(json!({
                            "task": running.number, "tool": "search", "status": "completed", "elapsed_ms": self.now.since(running.accepted).as_millis() as u64,
                            "text": said, "offset": 0, "characters": 9,
                        }))
                    }
                    None => {
                        AnswerContent::Report(json!({"error": {"kind": "invalid_arguments", "message": "no task"}}))
                    }
                },
                Call::Check => AnswerContent::Report(json!({"tasks": earlier.iter().map(|running| {
                    json!({"task": running.number, "tool": "search", "status": "completed", "elapsed_ms": 5})
                }).collect::<Vec<_>>()})),
            };
            self.messages.pop();
            contents.push(Answer::new(tool_call.id.clone(), Arc::clone(&tool_call.name), content));
            calls.push(tool_call);
        }
        let kept = |native: bool| {
            let mut items = vec![(json!({"type": "reasoning", "id": "rs", "encrypted_content": "x"}), None)];
            items.extend(calls.iter().map(|call| {
                let mut item = json!({
                    "type": "function_call", "id": format!("fc_{}", call.id), "call_id": call.id, "name": call.name,
                    "arguments": call.arguments.to_string(), "status": "completed",
                });
                if native && &*call.name != TASK_TOOL {
                    item["async"] = json!(true);
                }
                (item, Some(call.id.to_string()))
            }));
            Kept::new(native, items).into_value()
        };
        let provider = match provider {
            Provider::None => None,
            Provider::Native => Some(kept(true)),
            Provider::Ordinary => Some(kept(false)),
            Provider::Foreign => Some(json!({"blocks": ["signature"]})),
        };
        self.push(Message::Assistant {
            text: "well".to_owned(),
            calls,
            provider,
        });
        if !contents.is_empty() {
            self.push(Message::Answers(contents));
        }
    }

    fn hand_over(&mut self, taken: &[Running]) -> Vec<Value> {
        self.running
            .retain(|running| taken.iter().all(|taken| taken.task != running.task));
        taken.iter().map(|running| row(&self.settle(running, 0))).collect()
    }

    pub(super) fn rules(&self, native: bool, max_open: usize, ttl: u64) -> Rules {
        Rules {
            media: MediaRules::NONE,
            native,
            max_open,
            ttl: Duration::from_millis(ttl),
            now: self.now,
        }
    }
}

/// A line of a delivery, as the agent writes it.
pub(super) fn row(result: &AsyncTaskResult) -> Value {
    let mut row = json!({"task": result.number, "tool": result.tool, "call": result.call, "elapsed_ms": result.timing.elapsed().as_millis() as u64});
    match &result.outcome {
        TaskOutcome::Completed(value) => {
            row["status"] = json!("completed");
            row["result"] = value.clone();
        }
        TaskOutcome::Cancelled(text) => {
            row["status"] = json!("cancelled");
            row["error"] = json!({"message": text});
        }
        TaskOutcome::Unknown(text) => {
            row["status"] = json!("unknown");
            row["error"] = json!({"message": text});
        }
        TaskOutcome::Failed(error) => {
            row["status"] = json!("failed");
            row["error"] = json!({"message": error.model_message()});
        }
        _ => {}
    }
    row
}

pub(super) fn task_id(at: Timestamp, number: u32) -> TaskId {
    TaskId::from_u128(u128::from(at.as_millis()) << 80 | 7 << 76 | 2 << 62 | u128::from(number))
}
