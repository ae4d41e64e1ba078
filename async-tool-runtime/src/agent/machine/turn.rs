//! Turns of the machine: start, stream, end.

use std::{
    collections::BTreeSet,
    error::Error as _,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;

use super::{AgentAction, Timer, TurnEvent};
use super::{
    AgentMachine, Stall,
    call::Start,
    phase::Phase,
    streamed_turn::{StreamedTurn, TurnCall},
};
use crate::{
    agent::{AgentEventKind, FrameGuard, Grounding, RunLimit, ledger::TaskRecord},
    context::Message,
    id::TaskNo,
    journal::{Entry, Withdrawal},
    model::{ModelError, ModelRequest, StopReason, TurnEnd},
    task::{TurnCause, TurnNo},
    tool::is_too_deep,
};

/// Longest backoff before a failed turn is retried, unless the provider asks for a longer one.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

impl AgentMachine {
    pub(super) fn on_turn(&mut self, turn: TurnNo, event: TurnEvent) {
        let is_thinking = matches!(self.phase, Phase::Thinking(_));
        let is_running = is_thinking && self.ledger.open_turn().is_some_and(|open| open.turn == turn);
        if !is_running {
            return;
        }
        self.turn.heard = self.now;
        self.turn.has_spoken |= match &event {
            TurnEvent::Text(text) | TurnEvent::Reasoning(text) => !text.is_empty(),
            _ => true,
        };
        match event {
            TurnEvent::Text(text) => {
                let nonce = self.ledger.nonce();
                let guard = self.turn.guard.get_or_insert_with(|| Box::new(FrameGuard::new(nonce)));
                let passed = guard.push(&text).into_owned();
                self.on_text(turn, passed);
            }
            TurnEvent::Reasoning(text) => {
                if !text.is_empty() {
                    self.turn.reasoning.push_str(&text);
                    self.emit(AgentEventKind::Reasoning { turn, text });
                }
            }
            TurnEvent::ToolCall(call, task) => self.on_call(turn, call, task),
            TurnEvent::Done(end) => self.on_done(turn, end),
            TurnEvent::Failed(error) => self.on_failed(turn, error),
        }
    }

    /// Tools of the running turn's calls, each once.
    pub(in crate::agent) fn tools_in_turn(&self) -> BTreeSet<Arc<str>> {
        let calls = self.turn.calls.iter();
        let names = calls.filter_map(|call| match call {
            TurnCall::Accepted(number) => Some(&self.ledger.tasks().get(number)?.call.name),
            TurnCall::Held(call, _) => Some(&call.name),
        });
        let is_real = |name: &&Arc<str>| self.policy.has_tool(name);
        names.filter(is_real).cloned().collect()
    }

    /// Part of the running turn that its readers have seen; `None` if there is none.
    pub(in crate::agent) fn turn_so_far(&self) -> Option<AgentEventKind> {
        let open = self.ledger.open_turn().filter(|open| !open.ended)?;
        let text = match self.turn.is_quiet {
            true => String::new(),
            false => self.turn.text.clone(),
        };
        let reasoning = self.turn.reasoning.clone();
        let is_empty = text.is_empty() && reasoning.is_empty();
        (!is_empty).then_some(AgentEventKind::TurnSoFar {
            turn: open.turn,
            text,
            reasoning,
        })
    }

    fn on_text(&mut self, turn: TurnNo, text: String) {
        if !text.is_empty() {
            self.turn.text.push_str(&text);
            if !self.turn.is_quiet {
                self.emit(AgentEventKind::Text { turn, text });
            }
        }
    }

    /// Takes the text of the running turn without the results that the model wrote itself, and the number of those.
    pub(super) fn take_text(&mut self, turn: TurnNo) -> (String, u32) {
        let mut cuts = 0;
        if let Some(mut guard) = self.turn.guard.take() {
            self.on_text(turn, guard.finish());
            cuts = u32::try_from(guard.cuts()).unwrap_or(u32::MAX);
        }
        (std::mem::take(&mut self.turn.text), cuts)
    }

    /// True if a provider's own blocks hold a frame that the guard would cut.
    fn has_frames(&self, blocks: &Value) -> bool {
        let mut guard = FrameGuard::new(self.ledger.nonce());
        let _passed = guard.push(&blocks.to_string());
        guard.finish();
        guard.cuts() > 0
    }

    fn on_done(&mut self, turn: TurnNo, mut end: TurnEnd) {
        let (text, cuts) = self.take_text(turn);
        if cuts > 0 && end.provider.as_ref().is_some_and(|blocks| self.has_frames(blocks)) {
            end.provider = None;
        }
        // An adapter sends the text and the calls instead.
        end.provider = end.provider.filter(|blocks| !is_too_deep(blocks));
        let calls = self.accept_held(turn, Start::Now);
        let is_empty = self.ledger.is_empty_turn(&text, &calls, &end, cuts);
        let may_ask_again = self.empty == 0 && self.limit_reached().is_none();
        // A refusal is an answer; a repetition would get the same.
        if is_empty && may_ask_again && end.stop != StopReason::Refused {
            return self.ask_again(turn);
        }
        self.empty = 0;
        let has_calls = !calls.is_empty();
        let ungrounded = self.ungrounded(&text, &calls);
        let asks_again = !ungrounded.is_empty()
            && !has_calls
            && self.policy.grounding.is_some_and(|grounding| grounding.asks_again)
            && self.ledger.run().asked_again == 0
            && may_ask_again;
        self.record(Entry::TurnEnded {
            turn,
            text,
            calls: calls.clone(),
            end,
            cuts,
            ungrounded,
            asks_again,
            at: self.now,
        });
        if is_empty {
            self.emit(AgentEventKind::TurnEmpty { turn });
        }
        self.failures = 0;
        if !has_calls {
            return self.carry_on();
        }
        self.phase = Phase::Answering(self.now);
        self.obey(&calls);
        self.begin_answering();
    }

    /// Values in the text of a turn that the model was not told, if it was asked before any call or while tasks ran.
    fn ungrounded(&self, text: &str, calls: &[TaskNo]) -> Vec<String> {
        if self.policy.grounding.is_none() || !self.turn.is_unknowing || text.trim().is_empty() {
            return Vec::new();
        }
        let told = self
            .ledger
            .transcript()
            .messages()
            .iter()
            .flat_map(|message| match &**message {
                Message::User { text, .. } | Message::Delivery { text, .. } | Message::Note { text } => {
                    vec![text.clone()]
                }
                Message::Assistant { calls, .. } => calls.iter().map(|call| call.arguments.to_string()).collect(),
                Message::Answers(answers) => answers
                    .iter()
                    .map(|answer| answer.to_model_json().to_string())
                    .collect(),
            });
        let form = self.prompt.longest();
        let tools = form
            .definitions
            .iter()
            .map(|definition| definition.description.to_string());
        let now = calls.iter().filter_map(|number| self.ledger.tasks().get(number));
        let now = now.map(|record| record.call.arguments.to_string());
        let system = form.system.iter().map(|system| system.to_string());
        let told: Vec<String> = told.chain(tools).chain(now).chain(system).collect();
        Grounding::ungrounded(text, told.iter().map(String::as_str))
    }

    /// Asks once more after an empty turn. It counts as failed, so the conversation stays as it was.
    fn ask_again(&mut self, turn: TurnNo) {
        self.empty += 1;
        let error = ModelError::empty();
        self.undo_turn(turn, "the turn was empty", &error.to_string());
        let retry_at = Some(self.now);
        self.emit(AgentEventKind::ModelFailed { turn, error, retry_at });
        self.begin_turn();
    }

    fn on_failed(&mut self, turn: TurnNo, mut error: ModelError) {
        self.undo_turn(turn, "the turn that made the call failed", &error.to_string());
        // The retry delivers the result that was about to interrupt this turn.
        self.wake = None;
        if error.is_too_long() {
            if self.shrink() {
                let retry_at = Some(self.now);
                self.emit(AgentEventKind::ModelFailed { turn, error, retry_at });
                return self.begin_turn();
            }
            if error.source().is_none() {
                error = error.with_source(self.shortest());
            }
        }
        self.failures += 1;
        let may_retry = error.retryable() && self.failures <= self.policy.model_retries;
        let retry_at = may_retry.then(|| {
            let pause = self.pause(turn).max(error.retry_after().unwrap_or_default());
            // A timestamp holds whole milliseconds, and a pause is never shortened.
            self.now.after(pause.saturating_add(Duration::from_nanos(999_999)))
        });
        match retry_at {
            Some(at) => {
                self.phase = Phase::Backoff(at);
                self.set_timer(Timer::Retry, at);
            }
            None => {
                self.phase = Phase::Idle;
                self.failures = 0;
                self.stalled = Some(Stall::Model(error.clone()));
            }
        }
        self.emit(AgentEventKind::ModelFailed { turn, error, retry_at });
    }

    /// Backoff before the retry of a failed turn: half of the policy's limit, and a part of the other half, so that
    /// sessions that failed together don't retry together. This is *equal jitter*: the full jitter of tools could retry
    /// at once, which a provider takes for a client without backoff. The part is a hash of the session's name, so a
    /// replayed session has the same backoff.
    fn pause(&self, turn: TurnNo) -> Duration {
        let doubled = 2_u32.saturating_pow(self.failures.saturating_sub(1));
        let longest = self.policy.model_backoff.saturating_mul(doubled).min(LONGEST_BACKOFF);
        let mut hasher = DefaultHasher::new();
        (&self.session, turn, self.failures).hash(&mut hasher);
        let steps = u32::try_from(hasher.finish() >> 48).unwrap_or_default();
        let half = longest / 2;
        half + half.saturating_mul(steps) / (1 << 16)
    }

    /// Fails the turn if its last event is too old.
    pub(super) fn fail_if_silent(&mut self, turn: TurnNo) {
        let Some(limit) = self.policy.model_timeout else { return };
        let at = self.turn.heard.after(limit);
        if at > self.now {
            self.set_timer(Timer::Silence(turn), at);
        } else {
            self.actions.push(AgentAction::AbortTurn(turn));
            self.on_failed(turn, ModelError::silent(limit));
        }
    }

    /// Breaks the running turn off if the model has said nothing yet and was asked for less than `cause`. False if the turn
    /// goes on.
    ///
    /// Each such turn has a more important reason than the one before it, so no model is kept from speaking for ever.
    pub(super) fn withdraw(&mut self, cause: Withdrawal) -> bool {
        let is_less = match cause {
            Withdrawal::Result => self.turn.cause == Some(TurnCause::Acknowledgements),
            Withdrawal::UserMessage => self.turn.cause != Some(TurnCause::User),
        };
        let is_silent = matches!(self.phase, Phase::Thinking(_)) && !self.turn.has_spoken;
        // At a limit no turn may follow, so this one is the last and must finish.
        let may_follow = self.limit_reached().is_none();
        let Some(turn) = self.ledger.open_turn().map(|open| open.turn) else {
            return false;
        };
        if !(self.policy.gives_way && is_less && is_silent && may_follow) {
            return false;
        }
        self.actions.push(AgentAction::AbortTurn(turn));
        self.turn = StreamedTurn::default();
        let at = self.now;
        self.record(Entry::TurnWithdrawn { turn, cause, at });
        self.phase = Phase::Idle;
        self.wake = None;
        true
    }

    /// Undoes the running turn: drops all of it, and stops the tasks that it had started.
    pub(super) fn undo_turn(&mut self, turn: TurnNo, reason: &str, error: &str) {
        self.turn = StreamedTurn::default();
        let mut started = self
            .ledger
            .open_turn()
            .map(|open| open.calls.clone())
            .unwrap_or_default();
        for number in &started {
            self.on_cancel(*number, reason.to_owned());
        }
        started.retain(|number| self.ledger.tasks().get(number).is_some_and(TaskRecord::is_owed));
        if !started.is_empty() {
            self.drop_results(started, reason);
        }
        let error = error.to_owned();
        self.record(Entry::TurnFailed {
            turn,
            error,
            at: self.now,
        });
    }

    /// Starts the next turn if the model has something to answer, and rests otherwise. The only place where the agent
    /// becomes idle, so no input can slip in between.
    pub(super) fn carry_on(&mut self) {
        self.phase = Phase::Idle;
        if self.has_to_ask() {
            self.begin_turn();
        } else if self.has_news() {
            match self.worth_joining(self.now) {
                at if at <= self.now => self.begin_turn(),
                at => self.wake_at(self.now, at),
            }
        } else {
            if std::mem::take(&mut self.rests_again) {
                let limit = RunLimit::Repetition;
                self.emit(AgentEventKind::LimitReached { limit });
            }
            self.wait_for_join();
        }
    }

    pub(super) fn begin_turn(&mut self) {
        self.wake = None;
        if let Some(limit) = self.limit_reached() {
            self.phase = Phase::Idle;
            let stall = Stall::Limit(limit);
            if self.stalled.as_ref() != Some(&stall) {
                self.stalled = Some(stall);
                self.emit(AgentEventKind::LimitReached { limit });
            }
            return;
        }
        self.rests_again = false;
        self.deliver(None);
        self.prune();
        let turn = self.ledger.next_turn();
        let cause = self.ledger.cause();
        self.record(Entry::TurnStarted {
            turn,
            cause,
            at: self.now,
        });
        self.phase = Phase::Thinking(self.now);
        self.stalled = None;
        self.turn = StreamedTurn {
            heard: self.now,
            is_quiet: self.policy.quiet_acks && cause == TurnCause::Acknowledgements,
            cause: Some(cause),
            is_unknowing: self.ledger.open_tasks().next().is_some() || self.ledger.calls_of_run().next().is_none(),
            ..StreamedTurn::default()
        };
        let messages = self
            .window
            .view(self.ledger.transcript().messages(), self.ledger.pruned());
        let form = self.prompt.form(self.batch, &self.ledger);
        let request = ModelRequest::new(self.session.clone(), messages, form.definitions);
        let request = request.with_system(form.system);
        self.actions.push(AgentAction::StartTurn(turn, request));
        if let Some(limit) = self.policy.model_timeout {
            self.set_timer(Timer::Silence(turn), self.now.after(limit));
        }
    }
}
