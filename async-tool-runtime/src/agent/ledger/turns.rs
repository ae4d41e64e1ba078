//! Entries of turns: start, end, interruption, failure, halt.

use serde_json::Value;

use super::{FoldError, Ledger, OpenTurn, Told, error::require, is_ack, phase::Life};
use crate::{
    agent::{FrameGuard, custom::is_of_agent},
    context::{Answer, Message, unseen},
    id::TaskNo,
    journal::{Entry, InterruptCause, Withdrawal},
    model::{StopReason, TurnEnd},
    task::{TurnCause, TurnNo},
    wording::{HALTED, OVERTAKEN, UNGROUNDED},
};

/// Most turns per user message that start only because the model wrote results itself.
const CORRECTIONS: u32 = 2;

impl Ledger {
    pub(super) fn apply_turn(&mut self, entry: &Entry) -> Result<(), FoldError> {
        match entry {
            Entry::TurnStarted { turn, .. } => self.start_turn(entry, *turn)?,
            Entry::TurnEnded {
                turn,
                text,
                calls,
                end,
                cuts,
                ungrounded,
                asks_again,
                ..
            } => {
                self.check_calls(entry, *turn, calls)?;
                let may_ask = !ungrounded.is_empty() && calls.is_empty() && self.run.asked_again == 0;
                require(
                    entry,
                    may_ask || !asks_again,
                    "a model is asked again once for each message, for values in a turn without calls",
                )?;
                if self.cause() == TurnCause::Acknowledgements {
                    self.rests_after_acks = calls.is_empty();
                }
                self.ended_empty = self.is_empty_turn(text, calls, end, *cuts);
                self.unanswered = false;
                self.pressing = false;
                self.run.usage = self.run.usage.plus(end.usage);
                self.note_cuts(*cuts);
                self.end_turn(*turn, text, calls, end.provider.as_ref());
                if *asks_again {
                    self.run.asked_again += 1;
                    let text = UNGROUNDED.to_owned();
                    self.transcript.push(Message::Note { text });
                    self.press();
                }
            }
            Entry::TurnInterrupted {
                turn,
                text,
                calls,
                cause,
                cuts,
                ..
            } => {
                self.check_calls(entry, *turn, calls)?;
                let has_said = !text.trim().is_empty() || !calls.is_empty();
                let told = match cause {
                    InterruptCause::Result { task } => {
                        let waits = self.inbox.contains(task);
                        require(entry, waits, "only an undelivered result interrupts a turn")?;
                        self.interrupter = Some(*task);
                        // The delivery says so.
                        None
                    }
                    // Without a word in between, the messages are read as one.
                    InterruptCause::Message => has_said.then_some(*cause),
                    InterruptCause::Host => Some(*cause),
                };
                if let Some(open) = &mut self.open_turn {
                    open.broken_off = told;
                }
                // The turn was not finished, so the messages before it stay unanswered.
                self.note_cuts(*cuts);
                self.end_turn(*turn, text, calls, None);
            }
            Entry::TurnWithdrawn { turn, cause, .. } => self.withdraw_turn(entry, *turn, *cause)?,
            Entry::TurnFailed { turn, .. } => {
                let open = self.running_turn(*turn);
                let open = open.ok_or_else(|| FoldError::new(entry, "the turn isn't running"))?;
                let dropped = open.calls.iter().all(|number| self.tasks[number].told == Told::Dropped);
                require(entry, dropped, "the calls of a failed turn are dropped first")?;
                self.close_turn();
            }
            Entry::Halted { .. } => {
                require(entry, self.open_turn.is_none(), "an agent is halted between turns")?;
                require(
                    entry,
                    self.life == Life::Open,
                    "an agent is halted while its session is open",
                )?;
                self.note(HALTED);
                self.unanswered = false;
                self.pressing = false;
                self.is_halted = true;
            }
            other => return Err(FoldError::of_another_family(other)),
        }
        Ok(())
    }

    fn start_turn(&mut self, entry: &Entry, turn: TurnNo) -> Result<(), FoldError> {
        require(entry, self.open_turn.is_none(), "a turn is open already")?;
        require(entry, turn == self.last_turn.next(), "turns are numbered without gaps")?;
        let is_told = self.interrupter.is_none_or(|number| !self.inbox.contains(&number));
        require(
            entry,
            is_told,
            "the result that interrupted a turn is delivered before the next turn",
        )?;
        self.interrupter = None;
        self.turn_trace = self.next_trace();
        self.last_turn = turn;
        if let Some(unseen) = self.unseen.take() {
            self.unseen_before = Some(unseen);
        }
        self.is_halted = false;
        self.run.turns = self.run.turns.saturating_add(1);
        self.open_turn = Some(OpenTurn {
            turn,
            calls: Vec::new(),
            ended: false,
            broken_off: None,
        });
        Ok(())
    }

    /// Undoes a turn in which the model has said nothing. Its acknowledgements count as unseen again, so results can still
    /// replace them.
    fn withdraw_turn(&mut self, entry: &Entry, turn: TurnNo, cause: Withdrawal) -> Result<(), FoldError> {
        let open = self.running_turn(turn);
        let open = open.ok_or_else(|| FoldError::new(entry, "the turn isn't running"))?;
        require(entry, open.calls.is_empty(), "a turn with calls is not withdrawn")?;
        let has_cause = match cause {
            Withdrawal::Result => !self.inbox.is_empty(),
            Withdrawal::UserMessage => !self.held_messages.is_empty(),
        };
        require(entry, has_cause, "a turn is withdrawn for something that waits")?;
        self.unseen = self.unseen_before.take().map(|(place, mut acknowledged)| {
            acknowledged.retain(|number| self.tasks.get(number).is_some_and(|record| record.told == Told::Ack));
            (place, acknowledged)
        });
        self.run.withdrawn = self.run.withdrawn.saturating_add(1);
        self.close_turn();
        Ok(())
    }

    fn running_turn(&self, turn: TurnNo) -> Option<&OpenTurn> {
        self.open_turn.as_ref().filter(|open| open.turn == turn && !open.ended)
    }

    /// Checks that the turn is the running one, and that the entry has all calls accepted in it.
    fn check_calls(&self, entry: &Entry, turn: TurnNo, calls: &[TaskNo]) -> Result<(), FoldError> {
        let open = self.running_turn(turn);
        let open = open.ok_or_else(|| FoldError::new(entry, "the turn isn't running"))?;
        let mut accepted = calls.to_vec();
        accepted.sort_unstable();
        let are_all = accepted == open.calls;
        require(entry, are_all, "a turn ends with the calls that were accepted")
    }

    /// True if a turn with this end says nothing although the model was given results, or announces calls and makes
    /// none.
    pub(crate) fn is_empty_turn(&self, text: &str, calls: &[TaskNo], end: &TurnEnd, cuts: u32) -> bool {
        if !calls.is_empty() || cuts > 0 || is_of_agent(end.provider.as_ref()) {
            return false;
        }
        end.stop == StopReason::ToolCalls || (text.trim().is_empty() && self.has_unseen_results())
    }

    fn has_unseen_results(&self) -> bool {
        let is_result = |answer: &Answer| !is_ack(answer);
        let messages = self.transcript.messages();
        messages[unseen(messages)].iter().any(|message| match &**message {
            Message::Answers(answers) => answers.iter().any(is_result),
            Message::Delivery { .. } => true,
            Message::User { .. } | Message::Assistant { .. } | Message::Note { .. } => false,
        })
    }

    /// Adds the model's text and calls to the transcript; the calls wait for their answers.
    fn end_turn(&mut self, turn: TurnNo, text: &str, calls: &[TaskNo], provider: Option<&Value>) {
        self.unseen_before = None;
        if !text.is_empty() || !calls.is_empty() || provider.is_some() {
            self.transcript.push(Message::Assistant {
                text: text.to_owned(),
                calls: calls.iter().map(|number| self.tasks[number].call.clone()).collect(),
                provider: provider.cloned(),
            });
        }
        if calls.is_empty() {
            self.repetitions = 0;
            self.close_turn();
        } else {
            let broken_off = self.open_turn.as_ref().and_then(|open| open.broken_off);
            self.open_turn = Some(OpenTurn {
                turn,
                calls: calls.to_vec(),
                ended: true,
                broken_off,
            });
        }
    }

    fn note_cuts(&mut self, cuts: u32) {
        if cuts > 0 {
            self.forged = self.forged.saturating_add(cuts);
            self.forging = self.forging.saturating_add(1);
            self.is_to_be_corrected = true;
        }
    }

    pub(super) fn close_turn(&mut self) {
        let closed = self.open_turn.take();
        if std::mem::take(&mut self.is_to_be_corrected) {
            self.transcript.push(Message::Note {
                text: FrameGuard::NOTICE.to_owned(),
            });
            // Bounded, because a model may go on writing results itself.
            if self.forging <= CORRECTIONS {
                self.press();
            }
        }
        match closed.and_then(|closed| closed.broken_off) {
            Some(InterruptCause::Host) => self.note(HALTED),
            Some(InterruptCause::Message) => self.note(OVERTAKEN),
            Some(InterruptCause::Result { .. }) | None => {}
        }
        for content in std::mem::take(&mut self.held_messages) {
            self.push_user(content);
        }
    }

    /// Adds a note of the library, unless it is the last message already.
    fn note(&mut self, text: &str) {
        let last = self.transcript.messages().last();
        let is_known = last.is_some_and(|last| matches!(&**last, Message::Note { text: known } if known == text));
        if !is_known {
            self.transcript.push(Message::Note { text: text.to_owned() });
        }
    }
}
