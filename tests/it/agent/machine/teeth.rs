//! The checker has teeth: machines with a fault in them, each of which must be caught, and by the check that is there for it.
//!
//! A fault is made on the outside, between the machine and its world: what the machine hears, what it wants done, or the policy it
//! decides by is not what it should be.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use async_tool_runtime::{
    Message, TaskNo,
    agent::{
        AgentPolicy, Ledger,
        machine::{AgentAction, AgentInput, Timer, TurnEvent},
    },
    context::{Answer, AnswerContent},
    journal::{CallAnswer, Entry, JoinPolicy},
    model::ModelRequest,
    tool::DeliveryPolicy,
};
use serde_json::json;

use crate::stand::{Books, sample_of};

use super::{
    exploration::{Random, random_world},
    promises::{PLENTY, first_task},
    sim::{Move, World},
};

/// Fault of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Defect a: the busy flag is checked and then set, so each completion starts a turn.
    TurnForEachCompletion,
    /// Defect b: a second message runs beside the first.
    TurnForEachMessage,
    /// Defect c: a result that comes as the agent goes to rest is never seen.
    ResultUnseenWhileIdle,
    /// Defect d: the results that a turn was started for go with it when it fails.
    ResultsLostWithTheTurn,
    /// Actions are carried out before the append that they wait for.
    ActsBeforeItIsWritten,
    SubmitsBeforeItIsWritten,
    WakesNobody,
    GraceWithoutEnd,
    RetriesNever,
    MessageWaits,
    MessageUnseen,
    ForgedResult,
    CallWithoutAnswer,
    AnswerWithoutCall,
    RunsTwice,
    NeverRuns,
    SettlesTwice,
    AnswersTwice,
    ForgetsAnAnswer,
    DeliversTwice,
    DeliversBeforeItSettles,
    DropsWhatWasPromised,
    HandsOverTwice,
    ClosesWhileTasksRun,
    SilentResultsWake,
    UrgentResultsWait,
    EffectsBeforeTheTurnIsComplete,
    EffectsAgainAfterACrash,
    StartsWithoutWhatItNeeds,
    JoinsNothing,
    BatchIsHurried,
    StopIsUnheard,
    StopSparesTasks,
    StopTakesTasks,
    PartsACallFromItsAnswer,
    ForgetsWhatRuns,
}

/// Each fault, and a part of what the check says that catches it.
const FAULTS: [(Fault, &str); 35] = [
    (Fault::TurnForEachCompletion, "invariant 1: at most one turn runs"),
    (Fault::TurnForEachMessage, "invariant 1: at most one turn runs"),
    (
        Fault::ResultUnseenWhileIdle,
        "wedged: nothing can happen, and the agent isn't at rest",
    ),
    (
        Fault::ResultsLostWithTheTurn,
        "invariant 6: the model is shown what is durable, and nothing else",
    ),
    (
        Fault::ActsBeforeItIsWritten,
        "invariant 6: the model is shown what is durable, and nothing else",
    ),
    (
        Fault::SubmitsBeforeItIsWritten,
        "invariant 6: a call is accepted before it runs",
    ),
    (
        Fault::WakesNobody,
        "wedged: results are left, and the agent isn't at rest",
    ),
    (
        Fault::GraceWithoutEnd,
        "wedged: the calls of a turn wait for their answers, and nothing ends it",
    ),
    (
        Fault::RetriesNever,
        "wedged: nothing can happen, and the agent isn't at rest",
    ),
    (
        Fault::MessageWaits,
        "invariant 7: a user message that finds no turn running is answered at once",
    ),
    (Fault::MessageUnseen, "waits although a turn starts"),
    (
        Fault::ForgedResult,
        "invariant 6: the model is shown what is durable, and nothing else",
    ),
    (Fault::CallWithoutAnswer, "invariant 4"),
    (Fault::AnswerWithoutCall, "invariant 5: an answer without a call"),
    (Fault::RunsTwice, "invariant 2: a task runs once"),
    (
        Fault::NeverRuns,
        "wedged: nothing can happen, and the agent isn't at rest",
    ),
    (Fault::SettlesTwice, "the task is settled already"),
    (Fault::AnswersTwice, "the turn doesn't wait for answers"),
    (Fault::ForgetsAnAnswer, "every call of a turn gets exactly one answer"),
    (Fault::DeliversTwice, "only results in the inbox are delivered"),
    (
        Fault::DeliversBeforeItSettles,
        "only results in the inbox are delivered",
    ),
    (Fault::DropsWhatWasPromised, "invariant 3: the model was promised"),
    (
        Fault::HandsOverTwice,
        "only results in the inbox are handed over, and once",
    ),
    (
        Fault::ClosesWhileTasksRun,
        "a session is closed when its tasks have ended",
    ),
    (Fault::SilentResultsWake, "a turn starts without a reason"),
    (Fault::UrgentResultsWait, "a result that can't wait waits"),
    (
        Fault::EffectsBeforeTheTurnIsComplete,
        "invariant 6: a call with effects runs when its turn is complete",
    ),
    (
        Fault::EffectsAgainAfterACrash,
        "invariant 2: what must not happen twice is started once",
    ),
    (
        Fault::StartsWithoutWhatItNeeds,
        "a task is started when what it needs is there",
    ),
    (Fault::BatchIsHurried, "a batch is woken while"),
    (Fault::StopIsUnheard, "a stopped turn is over"),
    (Fault::StopSparesTasks, "is stopped with its answer"),
    (Fault::StopTakesTasks, "is left alone"),
    (Fault::PartsACallFromItsAnswer, "whole turns are pruned"),
    (
        Fault::ForgetsWhatRuns,
        "invariant 6: the model is shown what is durable, and nothing else",
    ),
];

impl Fault {
    /// Input of the machine, as the fault changes it.
    pub(super) fn hear(self, world: &mut World, input: AgentInput) -> Option<AgentInput> {
        let is_idle = world.turn.is_none();
        let is_message = matches!(input, AgentInput::User(_) | AgentInput::Batch(_));
        match (self, input) {
            (Self::ResultUnseenWhileIdle, AgentInput::Settled(_)) if is_idle => None,
            (Self::MessageWaits, _) if is_message && is_idle => None,
            (Self::MessageUnseen, _) if is_message && !is_idle => None,
            (Self::BatchIsHurried, AgentInput::Batch(text)) => Some(AgentInput::User(text)),
            (Self::StopIsUnheard, AgentInput::Interrupt { .. }) => None,
            (Self::StopSparesTasks, AgentInput::Interrupt { .. }) => Some(AgentInput::Interrupt { tasks: false }),
            (Self::StopTakesTasks, AgentInput::Interrupt { .. }) => Some(AgentInput::Interrupt { tasks: true }),
            (Self::ResultsLostWithTheTurn, input @ AgentInput::Turn(_, TurnEvent::Failed(_))) => {
                let place = world
                    .journal
                    .iter()
                    .rposition(|entry| matches!(entry, Entry::Delivered { .. }));
                let is_for_it = |place: &usize| {
                    let mut later = world.journal[*place..].iter();
                    !later.any(|entry| matches!(entry, Entry::TurnEnded { .. } | Entry::TurnInterrupted { .. }))
                };
                if let Some(place) = place.filter(is_for_it) {
                    world.journal.remove(place);
                    world.folded = Ledger::fold(&world.journal).expect("the rest is sound");
                }
                Some(input)
            }
            (_, input) => Some(input),
        }
    }

    /// Actions that are carried out, as the fault changes them.
    pub(super) fn act(self, world: &World, heard: Heard, mut actions: Vec<AgentAction>) -> Vec<AgentAction> {
        let is_thinking = world.turn.is_some();
        match (self, heard) {
            (Self::TurnForEachCompletion, Heard::Completion) | (Self::TurnForEachMessage, Heard::Message)
                if is_thinking =>
            {
                let (turn, _) = world.turn.expect("a turn runs");
                let request = world.requests.last().expect("it was asked for").clone();
                actions.push(AgentAction::StartTurn(turn, request));
            }
            (Self::ActsBeforeItIsWritten, _) => {
                actions.sort_by_key(|action| matches!(action, AgentAction::Append(_)));
            }
            (Self::SubmitsBeforeItIsWritten, _) => {
                actions.sort_by_key(|action| !matches!(action, AgentAction::Submit(_)));
            }
            (Self::WakesNobody, _) => actions.retain(|action| !matches!(action, AgentAction::SetTimer(Timer::Wake, _))),
            (Self::GraceWithoutEnd, _) => {
                actions.retain(|action| !matches!(action, AgentAction::SetTimer(Timer::Grace(_), _)));
            }
            (Self::RetriesNever, _) => {
                actions.retain(|action| !matches!(action, AgentAction::SetTimer(Timer::Retry, _)))
            }
            (Self::NeverRuns, _) => actions.retain(|action| !matches!(action, AgentAction::Submit(_))),
            (Self::RunsTwice, _) => {
                let again = actions
                    .iter()
                    .find(|action| matches!(action, AgentAction::Submit(_)))
                    .cloned();
                actions.extend(again);
            }
            _ => {}
        }
        for action in &mut actions {
            match action {
                AgentAction::Append(entries) => self.write(entries),
                AgentAction::StartTurn(_, request) => self.show(request),
                _ => {}
            }
        }
        actions
    }

    /// Entries that are written, as the fault changes them.
    pub(super) fn write(self, entries: &mut Vec<Entry>) {
        let is_repeated = |entry: &Entry| match self {
            Self::SettlesTwice => matches!(entry, Entry::Settled { .. }),
            Self::AnswersTwice => matches!(entry, Entry::Answered { .. }),
            Self::DeliversTwice => matches!(entry, Entry::Delivered { .. }),
            _ => false,
        };
        if let Some(place) = entries.iter().position(is_repeated) {
            entries.insert(place, entries[place].clone());
        }
        if self == Self::DeliversBeforeItSettles {
            entries.sort_by_key(|entry| matches!(entry, Entry::Settled { .. }));
        }
        if self == Self::ClosesWhileTasksRun
            && let Some(Entry::Closing { at }) = entries.last()
        {
            let at = *at;
            entries.push(Entry::Closed { at });
        }
        for entry in entries {
            match entry {
                Entry::Delivered { tasks, at, .. } if self == Self::DropsWhatWasPromised => {
                    *entry = Entry::Dropped {
                        tasks: std::mem::take(tasks),
                        reason: "the turn that was to be told failed".to_owned(),
                        at: *at,
                    };
                }
                Entry::Pruned { pruned, .. } if self == Self::PartsACallFromItsAnswer => {
                    pruned.dropped += 1;
                    pruned.collapsed = pruned.collapsed.max(pruned.dropped);
                }
                Entry::Pruned { pruned, .. } if self == Self::ForgetsWhatRuns => pruned.status.clear(),
                Entry::Answered { answers, .. } if self == Self::ForgetsAnAnswer => {
                    answers.pop();
                }
                Entry::Answered { answers, .. } if self == Self::HandsOverTwice => {
                    for given in answers {
                        if let CallAnswer::Report { tasks, .. } = given {
                            tasks.extend(tasks.clone());
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Request to the model, as the fault changes it.
    fn show(self, request: &mut ModelRequest) {
        let messages = &mut request.messages;
        match self {
            Self::CallWithoutAnswer => {
                let place = messages
                    .iter()
                    .position(|message| matches!(&**message, Message::Answers(_)));
                place.map(|place| messages.remove(place));
            }
            Self::AnswerWithoutCall => {
                let is_it = |message: &Arc<Message>| matches!(&**message, Message::Assistant { calls, .. } if !calls.is_empty());
                let place = messages.iter().position(is_it);
                place.map(|place| messages.remove(place));
            }
            Self::ForgedResult => {
                for message in messages {
                    let Message::Answers(answers) = &**message else {
                        continue;
                    };
                    let forged = answers.iter().map(|answer| match &answer.content {
                        AnswerContent::Ack(_) => {
                            let content = AnswerContent::Report(json!({"result": "I am sure it is 42"}));
                            Answer::new(answer.call.clone(), Arc::clone(&answer.tool), content)
                        }
                        _ => answer.clone(),
                    });
                    *message = Arc::new(Message::Answers(forged.collect()));
                }
            }
            _ => {}
        }
    }

    /// Policy of the machine, as the fault changes it.
    pub(super) fn decide(self, policy: &mut AgentPolicy) {
        if self == Self::JoinsNothing {
            policy.wake.join = JoinPolicy::Any;
        }
    }

    /// Delivery policy of a tool, as the fault changes it.
    pub(super) fn delivery(self, tool: &str) -> Option<DeliveryPolicy> {
        match (self, tool) {
            (Self::SilentResultsWake, "silent") | (Self::UrgentResultsWait, "urgent" | "urgent_once") => {
                Some(DeliveryPolicy::WhenIdle)
            }
            _ => None,
        }
    }
}

/// Kind of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Completion,
    Message,
    Something,
}

impl Heard {
    pub(super) fn of(input: &AgentInput) -> Self {
        match input {
            AgentInput::Settled(_) => Self::Completion,
            AgentInput::User(_) | AgentInput::Batch(_) => Self::Message,
            _ => Self::Something,
        }
    }
}

/// Text of a panic.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default()
}

/// Text of a check, without numbers and ids.
fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let rule = line
        .split("rule: ")
        .nth(1)
        .map_or(line, |rule| rule.trim_end_matches([' ', '}']));
    let rule = rule.strip_prefix("assertion `left == right` failed: ").unwrap_or(rule);
    rule.trim_matches('"').chars().take(80).collect()
}

#[test]
fn every_fault_is_caught_by_the_check_that_is_there_for_it() {
    /// Some faults show in rare situations only.
    const MOST_SCHEDULES: u64 = 20_000;
    // So often by its own check.
    let enough = sample_of(6);
    println!(
        "{:<32} {:>9}  {:>7}  {:>7}  caught by",
        "fault", "schedules", "caught", "by this"
    );
    let mut missed = Vec::new();
    for (fault, expected) in FAULTS {
        let mut checks: BTreeMap<String, u64> = BTreeMap::new();
        let mut caught_by_it = 0;
        let mut schedules = 0;
        while caught_by_it < enough && schedules < MOST_SCHEDULES {
            schedules += 1;
            let seed = schedules;
            let play = || random_world(seed, &mut Random::new(seed), Some(fault)).finish();
            if let Err(panic) = catch_unwind(AssertUnwindSafe(play)) {
                let text = said(&*panic);
                caught_by_it += u64::from(text.contains(expected));
                *checks.entry(shortened(&text)).or_default() += 1;
            }
        }
        let caught: u64 = checks.values().sum();
        println!(
            "{:<32} {schedules:>9}  {caught:>7}  {caught_by_it:>7}  {expected}",
            format!("{fault:?}")
        );
        for (check, times) in &checks {
            println!("{:>61} {check}", format!("{times} x"));
        }
        if caught_by_it < enough {
            missed.push(format!("{fault:?} is not caught by \"{expected}\", but by {checks:?}"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn without_a_fault_the_same_schedules_are_sound() {
    for seed in 1..=400 {
        random_world(seed, &mut Random::new(seed), None).finish();
    }
}

/// The journals of some random schedules.
fn journals() -> impl Iterator<Item = Vec<Entry>> {
    (1..=100).map(|seed| random_world(seed, &mut Random::new(seed), None).journal)
}

#[test]
fn the_books_alone_catch_what_the_ledger_would_have_refused() {
    let faults = [
        (Fault::SettlesTwice, "invariant 2"),
        (Fault::DeliversTwice, "invariant 3"),
        (Fault::DropsWhatWasPromised, "invariant 3"),
        (Fault::HandsOverTwice, "invariant 3"),
        (Fault::DeliversBeforeItSettles, "invariant 6"),
    ];
    for (fault, expected) in faults {
        let mut caught = 0;
        for mut journal in journals() {
            fault.write(&mut journal);
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| Books::of(&journal))) {
                let text = said(&*panic);
                assert!(text.contains(expected), "{fault:?}: {text}");
                caught += 1;
            }
        }
        println!("{fault:?}: {caught} of 100 journals");
        assert!(caught > 0, "{fault:?}");
    }
}

#[test]
fn the_books_say_what_a_journal_that_breaks_off_has_lost() {
    let unfinished = journals().filter(|journal| !Books::of(journal).lost().is_empty());
    assert!(
        unfinished.count() > 0,
        "a task that runs is not lost, but would be if nothing followed"
    );
}

#[test]
fn an_entry_that_the_ledger_refuses_changes_nothing_and_what_it_takes_breaks_no_promise() {
    let (mut refused, mut taken) = (0_u32, 0_u32);
    for journal in journals().take(30) {
        let mut ledger = Ledger::new();
        for (place, entry) in journal.iter().enumerate() {
            // Everything else of the journal, out of its place.
            for stray in &journal {
                let mut tried = ledger.clone();
                if tried.apply(stray).is_err() {
                    assert_eq!(tried, ledger, "{stray:?}");
                    refused += 1;
                    continue;
                }
                taken += 1;
                let is_decided_by_the_machine = matches!(stray, Entry::Dropped { .. } | Entry::Detached { .. });
                let before = Books::of(&journal[..place]);
                let books = catch_unwind(AssertUnwindSafe(|| before.clone().enter(stray)));
                assert!(
                    is_decided_by_the_machine || books.is_ok(),
                    "the ledger takes what breaks a promise: {stray:?}"
                );
            }
            ledger.apply(entry).expect("the journal is sound");
        }
    }
    println!("{refused} stray entries refused, {taken} taken");
    assert!(refused > 1_000 && taken > 100);
}

#[test]
fn a_result_is_told_once_also_in_one_entry() {
    let mut refused = 0;
    for journal in journals() {
        for (place, entry) in journal.iter().enumerate() {
            let twice = |tasks: &Vec<TaskNo>| [tasks.clone(), tasks.clone()].concat();
            let doubled = match entry.clone() {
                Entry::Delivered { tasks, text, at } => Entry::Delivered {
                    tasks: twice(&tasks),
                    text,
                    at,
                },
                Entry::Replaced { tasks, at } => Entry::Replaced {
                    tasks: twice(&tasks),
                    at,
                },
                Entry::Dropped { tasks, reason, at } => Entry::Dropped {
                    tasks: twice(&tasks),
                    reason,
                    at,
                },
                Entry::Detached { tasks, at } => Entry::Detached {
                    tasks: twice(&tasks),
                    at,
                },
                _ => continue,
            };
            let mut ledger = Ledger::fold(&journal[..place]).expect("the journal is sound");
            let before = ledger.clone();
            let error = ledger.apply(&doubled).expect_err("a result is told or dropped once");
            assert!(error.rule().contains("once"), "{error}");
            assert_eq!(ledger, before);
            refused += 1;
        }
    }
    assert!(refused > 20);
}

#[test]
fn a_join_that_joins_nothing_is_noticed() {
    let play = |fault| {
        let all = |policy: &mut AgentPolicy| policy.wake = policy.wake.with_join(JoinPolicy::All);
        let mut world = World::with_fault(PLENTY, all, fault);
        world.user();
        world.play(&Move::Call("always"));
        world.play(&Move::Call("always"));
        world.play(&Move::Done);
        world.play(&Move::Done);
        world.settle(first_task(&world));
        if fault.is_some() {
            world.fire();
        }
        world.finish();
    };
    play(None);
    let panic = catch_unwind(|| play(Some(Fault::JoinsNothing))).expect_err("the fault is noticed");
    assert!(
        said(&*panic).contains("a join of all is woken for"),
        "{}",
        said(&*panic)
    );
}
