//! Interruptions of the running turn: by a result, by the host, or by a user message.

use std::collections::BTreeSet;

use super::{AgentAction, AgentMachine, call::Start, phase::Phase};
use crate::{
    agent::ledger::Life,
    id::TaskNo,
    journal::{Entry, InterruptCause},
    task::TurnNo,
    tool::DeliveryPolicy,
    wording::INTERRUPTED,
};

/// Reason of the tasks that the host stops with the turn.
const REASON: &str = "the user stopped the answer that it was for";

impl AgentMachine {
    /// Turn that [`AgentInput::Interrupt`](super::AgentInput::Interrupt) would end: the running one, the one whose calls wait for their
    /// answers, or a failed one that is about to be repeated.
    ///
    /// ```
    /// use async_tool_runtime::{
    ///     agent::{
    ///         machine::{AgentInput, AgentMachine},
    ///         AgentPolicy, Ledger,
    ///     },
    ///     task::{Timestamp, TurnNo},
    ///     AsyncToolManager, SessionId,
    /// };
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().build()?;
    /// # let policy = AgentPolicy::new(manager.registry());
    /// # let mut machine = AgentMachine::new(SessionId::new("s"), None, [].into(), policy, Ledger::new());
    /// # let now = Timestamp::from_millis(0);
    /// # let nonce = "0f9a2c46d1e84b7f".to_owned();
    /// # let _ = machine.step(now, AgentInput::Open { nonce, works_for: None });
    /// # let _ = machine.step(now, AgentInput::User("hello".into()));
    /// assert_eq!(machine.interruptible(), Some(TurnNo::new(1)));
    /// let _ = machine.step(now, AgentInput::Interrupt { tasks: false });
    /// assert_eq!(machine.interruptible(), None);
    /// assert!(machine.is_quiescent());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn interruptible(&self) -> Option<TurnNo> {
        match self.phase {
            Phase::Thinking(_) | Phase::Answering(_) => self.ledger.turn(),
            Phase::Backoff(_) => Some(self.ledger.last_turn()),
            Phase::Idle => None,
        }
    }

    /// Interrupts the running turn for an urgent result, and starts the next turn with that result.
    pub(super) fn interrupt_for(&mut self, task: TaskNo) {
        if self.limit_reached().is_some() {
            // No turn may follow, so this one is the last and must finish.
            return;
        }
        if self.break_off(InterruptCause::Result { task }, Start::Now) {
            self.deliver(Some(INTERRUPTED));
            self.begin_turn();
        }
    }

    /// Ends the turn and halts the agent; with `tasks`, also stops what turns since the last user message have started.
    ///
    /// Messages that came while the turn ran are answered at once. Results that came before wait for the next turn, as do those of the
    /// tasks that this stops: they are no reason to ask the model again.
    pub(super) fn on_interrupt(&mut self, tasks: bool) {
        if self.ledger.life() != Life::Open {
            return;
        }
        let mut stopped: BTreeSet<TaskNo> = match tasks {
            true => self.ledger.open_tasks_of_answer().collect(),
            false => BTreeSet::new(),
        };
        if self.interruptible().is_none() && stopped.is_empty() {
            return;
        }
        let is_asked = self.ledger.has_held_messages();
        if matches!(self.phase, Phase::Thinking(_)) {
            let start = if tasks { Start::Never } else { Start::Now };
            self.break_off(InterruptCause::Host, start);
        } else {
            if tasks {
                self.stop_answer();
            }
            if matches!(self.phase, Phase::Answering(_)) {
                self.answer();
            }
        }
        self.phase = Phase::Idle;
        self.failures = 0;
        self.batch = false;
        if is_asked {
            self.hush(stopped);
            return self.carry_on();
        }
        stopped.extend(self.ledger.inbox().map(|(number, _)| number));
        self.hush(stopped);
        self.wake = None;
        self.stalled = None;
        self.record(Entry::Halted { at: self.now });
    }

    /// Ends the running turn, and keeps all that it had finished. False if no turn runs. The caller starts the next turn, or halts the
    /// agent.
    ///
    /// Calls that waited for the end of the turn run now. They waited because a failed turn is repeated. An interrupted turn is not
    /// repeated: the model sees the calls that it made.
    pub(super) fn break_off(&mut self, cause: InterruptCause, start: Start) -> bool {
        let Some(turn) = self.ledger.open_turn().map(|open| open.turn) else {
            return false;
        };
        self.actions.push(AgentAction::AbortTurn(turn));
        let (text, cuts) = self.take_text(turn);
        let calls = self.accept_held(turn, start);
        if start == Start::Never {
            self.stop_answer();
        }
        let has_calls = !calls.is_empty();
        let entry = Entry::TurnInterrupted {
            turn,
            text,
            calls: calls.clone(),
            cause,
            cuts,
            at: self.now,
        };
        self.record(entry);
        if has_calls {
            self.phase = Phase::Answering(self.now);
            self.obey(&calls);
            self.answer();
        }
        self.phase = Phase::Idle;
        self.failures = 0;
        self.empty = 0;
        true
    }

    /// Tells all tasks to stop that turns since the last user message have started. One that has not begun ends at once.
    fn stop_answer(&mut self) {
        let tasks: Vec<TaskNo> = self.ledger.open_tasks_of_answer().collect();
        for number in tasks {
            self.cancel(number, REASON.to_owned(), &mut Vec::new());
        }
    }

    /// Takes from results the power to wake the model.
    fn hush(&mut self, tasks: BTreeSet<TaskNo>) {
        for task in tasks {
            let is_owed = self.ledger.tasks().get(&task).is_some_and(|record| record.is_owed());
            if is_owed && self.delivery_of(task) != DeliveryPolicy::Silent {
                self.record(Entry::DeliverySet {
                    task,
                    policy: DeliveryPolicy::Silent,
                    at: self.now,
                });
            }
        }
    }
}
