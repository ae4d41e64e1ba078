//! The promises, checked in a world after every step.

use std::{collections::HashSet, sync::Arc, time::Duration};

use async_tool_runtime::{
    Effect, Message, TaskNo,
    agent::{AgentState, Ledger, RunLimits, machine::Timer},
    context::AnswerContent,
    journal::{Entry, JoinPolicy},
    task::TaskSpec,
    tool::DeliveryPolicy,
};

use super::{World, tools::effect_of};

impl World {
    /// A call with effects runs once its turn is complete; a call that must not run twice starts once, in all processes
    /// together.
    pub(super) fn check_effects(&mut self, spec: &TaskSpec) {
        let effect = effect_of(&spec.call.name);
        let number = spec.number.expect("tasks of an agent are numbered");
        let is_complete = self.journal.iter().any(|entry| match entry {
            Entry::TurnEnded { calls, .. } | Entry::TurnInterrupted { calls, .. } => calls.contains(&number),
            _ => false,
        });
        assert!(
            effect == Effect::Read || is_complete,
            "invariant 6: a call with effects runs when its turn is complete"
        );
        // It runs after people have consented.
        if &*spec.call.name == "consent" && !self.started.contains(&spec.task) {
            return;
        }
        assert!(
            effect != Effect::Once || self.started.insert(spec.task),
            "invariant 2: what must not happen twice is started once"
        );
    }

    /// Each running task is named by its acknowledgement, or by the note that stands for pruned messages.
    pub(super) fn check_running(&self, messages: &[Arc<Message>]) {
        let mut named = HashSet::new();
        for message in messages {
            match &**message {
                Message::Answers(answers) => named.extend(answers.iter().filter_map(|answer| match &answer.content {
                    AnswerContent::Ack(ack) => Some(ack.number?.to_string()),
                    _ => None,
                })),
                Message::Note { text } => named.extend(text.split([' ', '\n']).map(str::to_owned)),
                _ => {}
            }
        }
        for number in self.folded.open_tasks() {
            let is_promised = self.books.is_promised(number);
            assert!(
                !is_promised || named.contains(&number.to_string()),
                "{number} runs, and the model is shown nothing of it: {messages:#?}"
            );
        }
    }

    /// The model still sees the finished parts of every turn, also of an interrupted one.
    pub(super) fn check_kept(&self, messages: &[Arc<Message>]) {
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

    /// A turn has a reason other than a silent result, and takes along all results that wait.
    pub(super) fn check_reason(&self) {
        let is_written = matches!(self.journal.last(), Some(Entry::TurnStarted { .. }));
        assert!(is_written, "a turn is written down before it starts");
        let (ledger, given) = (&self.folded, &self.books.given);
        assert_eq!(ledger.inbox().count(), 0, "a turn takes along all results that wait");
        if self.was_asked {
            return;
        }
        let policies: Vec<DeliveryPolicy> = given.iter().map(|number| self.delivery_of(*number)).collect();
        let is_news = policies.iter().any(|policy| *policy != DeliveryPolicy::Silent);
        assert!(
            is_news || self.is_batch,
            "a turn starts without a reason: {:#?}",
            self.journal
        );
        if policies.contains(&DeliveryPolicy::Interrupt) {
            return;
        }
        if self.is_batch {
            let open: Vec<TaskNo> = ledger.open_tasks().collect();
            assert!(open.is_empty(), "a batch is woken while {open:?} run");
        }
        self.check_join(given, ledger);
    }

    /// With a join of all, at least one of the given tasks belongs to a turn of which all tasks have ended.
    pub(super) fn check_join(&self, given: &[TaskNo], ledger: &Ledger) {
        if self.policy.wake.join != JoinPolicy::All || self.policy.wake.deadline.is_some() || self.is_batch {
            return;
        }
        let is_grouped = self.journal.iter().any(|entry| matches!(entry, Entry::Grouped { .. }));
        let turn_of = |task: TaskNo| {
            self.journal.iter().find_map(|entry| match entry {
                Entry::Accepted { number, turn, .. } if *number == task => Some(*turn),
                _ => None,
            })
        };
        let is_complete = |task: &TaskNo| ledger.open_tasks().all(|open| turn_of(open) != turn_of(*task));
        assert!(
            is_grouped || given.iter().any(is_complete),
            "a join of all is woken for {given:?} before all have ended"
        );
    }

    /// The delivery policy of a task.
    pub(super) fn delivery_of(&self, task: TaskNo) -> DeliveryPolicy {
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

    pub(super) fn is_closing(&self) -> bool {
        let is_it = |entry: &Entry| matches!(entry, Entry::Closing { .. } | Entry::Draining { .. });
        self.journal.iter().any(is_it)
    }

    /// True if the session takes no further entries of a turn.
    pub(super) fn is_ending(&self) -> bool {
        self.journal.iter().any(|entry| matches!(entry, Entry::Closing { .. }))
    }

    /// An interrupting result never waits, and a silent one keeps no agent awake.
    pub(super) fn check_delivery(&self) {
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
            // The last turn within the limits isn't broken off, because no other may follow.
            let is_limited = self.policy.limits != RunLimits::default();
            assert!(
                is_limited || has_hardly_begun || (self.turn.is_none() && has_failed),
                "a result that can't wait waits"
            );
        }
        let is_over =
            self.turn.is_none() && !self.is_batch && ledger.open_tasks().next().is_none() && !ledger.is_unanswered();
        if is_over && waiting.iter().all(|policy| *policy == DeliveryPolicy::Silent) {
            assert!(
                self.machine.is_quiescent(),
                "an agent that has only silent results is at rest"
            );
        }
    }

    /// The wait for answers has a timer, unless a tool that is never acknowledged holds it open.
    pub(super) fn check_grace(&self) {
        if self.machine.state() != AgentState::Answering {
            return;
        }
        let calls = self.journal.iter().rev().find_map(|entry| match entry {
            Entry::TurnEnded { calls, .. } | Entry::TurnInterrupted { calls, .. } => Some(calls),
            _ => None,
        });
        let is_never_acknowledged = |number: &TaskNo| {
            self.journal.iter().any(
                |entry| matches!(entry, Entry::Accepted { number: known, call, .. } if known == number && &*call.name == "never"),
            )
        };
        let is_open_ended =
            |number: &TaskNo| self.folded.open_tasks().any(|open| open == *number) && is_never_acknowledged(number);
        let waits_for_it = calls.is_some_and(|calls| calls.iter().any(is_open_ended));
        let has_end = self.timers.keys().any(|timer| matches!(timer, Timer::Grace(_)));
        assert!(
            waits_for_it || has_end,
            "wedged: the calls of a turn wait for their answers, and nothing ends it"
        );
    }

    pub(super) fn check(&self) {
        self.check_delivery();
        self.check_grace();
        if self.is_thorough {
            self.check_fold();
        }
    }

    pub(super) fn check_fold(&self) {
        assert_eq!(
            &self.folded,
            self.machine.ledger(),
            "invariant 9: the fold is the live machine's ledger"
        );
    }
}
