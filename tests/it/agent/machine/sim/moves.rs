//! The moves that are possible in a world, and the budget of each kind.

use std::time::Duration;

use async_tool_runtime::{
    TaskId, TaskNo,
    agent::CloseMode,
    journal::{Entry, JoinPolicy},
    tool::DeliveryPolicy,
};
use serde_json::{Value, json};

use super::World;

/// One thing that can happen next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    User,
    Text,
    Forge,
    Call(&'static str),
    Done,
    FailInPassing,
    FailForGood,
    Batch,
    /// The host stops the turn; true: with its tasks.
    Interrupt(bool),
    /// A message that doesn't wait for the end of the turn.
    Interject,
    Settle(TaskId),
    SettleBadly(TaskId),
    SettleAgain(TaskId),
    Timer,
    Cancel(TaskNo),
    SetDelivery(TaskNo, DeliveryPolicy),
    Promote(TaskNo),
    Group(JoinPolicy),
    Sent,
    Defer(TaskId),
    Ask(TaskId),
    Answer(TaskId),
    NotStarted(TaskId),
    Crash,
    Close(CloseMode),
}

/// The most moves of each kind that a run may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) users: u32,
    pub(crate) calls: u32,
    pub(crate) failures: u32,
    pub(crate) again: u32,
    pub(crate) cancels: u32,
    pub(crate) sets: u32,
    pub(crate) closes: u32,
    pub(crate) turns: u32,
    pub(crate) batches: u32,
    pub(crate) bad_ends: u32,
    pub(crate) promotes: u32,
    pub(crate) groups: u32,
    pub(crate) crashes: u32,
    /// Number of times that a task begins to wait for the outside.
    pub(crate) waits: u32,
    pub(crate) forgeries: u32,
    /// Number of turns that the host or a message ends.
    pub(crate) interrupts: u32,
    /// Tools that the model may call.
    pub(crate) tools: &'static [&'static str],
}

/// The tools of the world, one for each way a call can be treated.
pub(crate) const TOOLS: [&str; 7] = ["read", "once", "always", "never", "urgent", "urgent_once", "silent"];

/// Tools that wait for people or the outside, or that find out the outcome of a call. None may run twice.
pub(crate) const WAITING: [&str; 4] = ["deferred", "asks", "consent", "reconciled"];

/// All of these, a tool whose argument is the result of an earlier task, and the actions of the `task` tool.
pub(crate) const EVERYTHING: [&str; 19] = [
    "deferred",
    "asks",
    "consent",
    "reconciled",
    "read",
    "once",
    "always",
    "never",
    "urgent",
    "urgent_once",
    "silent",
    "chain",
    "task list",
    "task result",
    "task wait",
    "task wait any",
    "task send",
    "task cancel",
    "task group",
];

const CLOSINGS: [CloseMode; 3] = [
    CloseMode::Cancel,
    CloseMode::Detach,
    CloseMode::Drain {
        limit: Duration::from_secs(1),
    },
];

const JOINS: [JoinPolicy; 3] = [JoinPolicy::All, JoinPolicy::FirstOk, JoinPolicy::Quorum(2)];

const POLICIES: [DeliveryPolicy; 3] = [
    DeliveryPolicy::WhenIdle,
    DeliveryPolicy::Interrupt,
    DeliveryPolicy::Silent,
];

impl World {
    /// All moves that are possible now.
    pub(crate) fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        let is_closing = self.is_closing();
        if self.budget.users > 0 && !is_closing {
            moves.push(Move::User);
        }
        if let Some((_, has_text)) = self.turn {
            if !has_text {
                moves.push(Move::Text);
                if self.budget.forgeries > 0 {
                    moves.push(Move::Forge);
                }
            }
            if self.budget.calls > 0 {
                moves.extend(self.budget.tools.iter().map(|tool| Move::Call(tool)));
            }
            moves.push(Move::Done);
            if self.budget.failures > 0 {
                moves.extend([Move::FailInPassing, Move::FailForGood]);
            }
        }
        if self.budget.batches > 0 && !is_closing {
            moves.push(Move::Batch);
        }
        if self.budget.interrupts > 0 {
            moves.extend([false, true].map(Move::Interrupt));
            if self.turn.is_some() && !is_closing {
                moves.push(Move::Interject);
            }
        }
        moves.extend(self.running.keys().map(|task| Move::Settle(*task)));
        if self.budget.bad_ends > 0 {
            moves.extend(self.running.keys().map(|task| Move::SettleBadly(*task)));
        }
        if self.budget.promotes > 0 {
            moves.extend(self.machine.ledger().open_tasks().map(Move::Promote));
        }
        if self.budget.groups > 0 && self.machine.ledger().open_tasks().next().is_some() {
            moves.extend(JOINS.map(Move::Group));
        }
        if !self.sends.is_empty() {
            moves.push(Move::Sent);
        }
        for (task, spec) in &self.running {
            let is_asking = self.asking.contains(task);
            let may_wait = self.budget.waits > 0 && !self.deferred.contains(task) && !is_asking;
            match &*spec.call.name {
                "deferred" if may_wait => moves.push(Move::Defer(*task)),
                "asks" if may_wait => moves.push(Move::Ask(*task)),
                "consent" if may_wait && !self.started.contains(task) => moves.push(Move::Ask(*task)),
                _ => {}
            }
            // A function that ended with its process can't take an answer.
            if is_asking && !self.deferred.contains(task) {
                moves.push(Move::Answer(*task));
            }
            if self.reconciling.contains(task) {
                moves.push(Move::NotStarted(*task));
            }
        }
        if self.budget.crashes > 0 {
            moves.push(Move::Crash);
        }
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
        if self.budget.closes > 0 {
            moves.extend(CLOSINGS.map(Move::Close));
        }
        moves
    }

    /// Name and arguments that the model sends for a call.
    pub(super) fn arguments(&self, tool: &'static str) -> (&'static str, Value) {
        let mut tasks = self.journal.iter().filter_map(|entry| match entry {
            Entry::Accepted { number, own: false, .. } => Some(number.to_string()),
            _ => None,
        });
        let last = tasks.next_back().unwrap_or_else(|| "#1".to_owned());
        let Some(action) = tool.strip_prefix("task ") else {
            return match tool {
                // The call before it, if this turn has made one.
                "chain" if !self.part.calls.is_empty() => {
                    (tool, json!({"x": {"$task": format!("#{}", self.part.calls.len())}}))
                }
                "chain" => (tool, json!({"x": {"$task": last, "pointer": "/of"}})),
                _ => (tool, json!({})),
            };
        };
        let arguments = match action {
            "list" => json!({"action": "list"}),
            "wait any" => json!({"action": "wait", "mode": "any", "seconds": 5}),
            "wait" => json!({"action": "wait", "tasks": [last], "seconds": 5}),
            "group" => json!({"action": "group", "name": "own", "tasks": [last], "seconds": 3}),
            "send" => json!({"action": "send", "tasks": [last], "text": "hello"}),
            other => json!({"action": other, "tasks": [last]}),
        };
        ("task", arguments)
    }
}
