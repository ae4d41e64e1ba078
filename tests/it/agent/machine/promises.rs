//! The promises of the agent, each in the situations in which it is in danger. The world checks all of them after every step.

use async_tool_runtime::{
    Message, TaskId, TaskOutcome,
    agent::{
        CloseMode, Ledger,
        machine::{AgentInput, TurnEvent},
    },
    journal::{Entry, InterruptCause},
    model::{ModelError, StopReason, TurnEnd},
};

use super::sim::{Budget, Move, TOOLS, World};

pub(super) const PLENTY: Budget = Budget {
    users: 9,
    calls: 9,
    failures: 9,
    again: 9,
    cancels: 9,
    sets: 9,
    closes: 1,
    turns: 99,
    batches: 0,
    bad_ends: 9,
    promotes: 9,
    groups: 9,
    crashes: 0,
    waits: 0,
    forgeries: 0,
    interrupts: 9,
    tools: &TOOLS,
};

pub(super) fn world() -> World {
    World::new(PLENTY, |_| {})
}

pub(super) fn first_task(world: &World) -> TaskId {
    *world.running.keys().next().expect("a task runs")
}

/// A session at rest, in which `tool` was called and acknowledged.
pub(super) fn acknowledged(tool: &'static str) -> World {
    let mut world = world();
    world.user();
    world.play(&Move::Call(tool));
    world.play(&Move::Done);
    while world.turn.is_none() {
        world.fire();
    }
    world.play(&Move::Done);
    assert!(world.turn.is_none());
    world
}

fn deliveries(world: &World) -> usize {
    let is_delivery = |entry: &&Entry| matches!(entry, Entry::Delivered { .. });
    world.journal.iter().filter(is_delivery).count()
}

#[test]
fn at_most_one_turn_runs_per_session() {
    let mut world = acknowledged("read");
    world.user();
    let asked = world.requests.len();
    // All events that could start a second turn happen during the first.
    world.settle(first_task(&world));
    world.user();
    world.user();
    assert_eq!(world.requests.len(), asked, "nothing is asked while a turn runs");
    world.play(&Move::Done);
    assert_eq!(world.requests.len(), asked + 1, "one turn takes in all that has come");
    world.finish();
}

#[test]
fn every_accepted_task_is_settled_exactly_once_and_the_first_writer_wins() {
    let mut world = acknowledged("once");
    let task = first_task(&world);
    world.settle(task);
    let before = world.journal.clone();
    world.play(&Move::SettleAgain(task));
    assert_eq!(world.journal, before, "a second end changes nothing");

    let second = before.iter().find_map(|entry| match entry {
        Entry::Settled { result } => Some(Entry::Settled { result: result.clone() }),
        _ => None,
    });
    let mut ledger = Ledger::fold(&before).unwrap();
    let error = ledger.apply(&second.unwrap()).unwrap_err();
    assert_eq!(error.rule(), "the task is settled already");
    world.finish();
}

#[test]
fn every_settled_outcome_is_delivered_exactly_once() {
    let mut world = acknowledged("once");
    world.settle(first_task(&world));
    world.fire();
    assert_eq!(deliveries(&world), 1);
    world.play(&Move::FailForGood);
    world.user();
    assert_eq!(
        deliveries(&world),
        1,
        "a result in the transcript isn't delivered again after a failure"
    );
    let shown = world.requests.last().unwrap();
    let frames = shown
        .messages
        .iter()
        .filter(|message| matches!(&***message, Message::Delivery { .. }));
    assert_eq!(frames.count(), 1, "and the model is shown it");
    world.finish();
}

#[test]
fn an_outcome_that_is_not_delivered_is_dropped_for_a_recorded_reason() {
    let mut world = world();
    world.user();
    world.play(&Move::Call("read"));
    world.play(&Move::FailForGood);
    let reason = world.journal.iter().find_map(|entry| match entry {
        Entry::Dropped { reason, .. } => Some(reason.as_str()),
        _ => None,
    });
    assert_eq!(reason, Some("the turn that made the call failed"));
    world.finish();
}

#[test]
fn before_any_model_call_every_open_call_has_exactly_one_answer() {
    let mut world = world();
    world.user();
    for tool in TOOLS {
        world.play(&Move::Call(tool));
    }
    world.settle(first_task(&world));
    world.play(&Move::Done);
    let asked = world.requests.len();
    // A message of the user ends the wait: the open calls get their acknowledgement first.
    world.user();
    assert_eq!(world.requests.len(), asked + 1);
    let request = world.requests.last().unwrap();
    let answers = request.messages.iter().find_map(|message| match &**message {
        Message::Answers(answers) => Some(answers.len()),
        _ => None,
    });
    assert_eq!(answers, Some(TOOLS.len()));
    world.finish();
}

#[test]
fn no_call_is_answered_twice() {
    let mut world = acknowledged("once");
    world.settle(first_task(&world));
    world.fire();
    let request = world.requests.last().unwrap();
    let answers = request
        .messages
        .iter()
        .filter(|message| matches!(&***message, Message::Answers(_)));
    assert_eq!(answers.count(), 1, "a late result is a message of its own");

    let answered = world
        .journal
        .iter()
        .find(|entry| matches!(entry, Entry::Answered { .. }))
        .unwrap();
    let mut ledger = Ledger::fold(&world.journal).unwrap();
    assert!(ledger.apply(answered).is_err(), "the ledger takes no second answer");
    world.finish();
}

#[test]
fn a_call_is_accepted_before_it_runs_and_settled_before_it_is_told() {
    let world = acknowledged("once");
    let task = first_task(&world);
    let accepted = world
        .journal
        .iter()
        .position(|entry| matches!(entry, Entry::Accepted { .. }));
    assert!(accepted.is_some(), "the world refuses to run what isn't in the journal");
    let told = Entry::Delivered {
        tasks: vec![world.running[&task].number.unwrap()],
        text: String::new(),
        at: world.now,
    };
    let mut ledger = Ledger::fold(&world.journal).unwrap();
    let error = ledger.apply(&told).unwrap_err();
    assert_eq!(error.rule(), "only results in the inbox are delivered");
    world.finish();
}

#[test]
fn a_call_with_effects_does_not_run_before_its_turn_is_complete() {
    let mut world = world();
    world.user();
    world.play(&Move::Call("once"));
    assert!(
        world.running.is_empty(),
        "a broken stream is asked again, and would do it twice"
    );
    world.play(&Move::Call("read"));
    assert_eq!(world.running.len(), 1, "a call that only reads starts at once");
    world.play(&Move::Call("never"));
    assert_eq!(
        world.running.len(),
        1,
        "an idempotent call doesn't start early: a repeated turn would give it another key"
    );
    world.play(&Move::FailInPassing);
    world.fire();
    world.play(&Move::Call("once"));
    world.play(&Move::Done);
    let once = world.running.values().filter(|spec| &*spec.call.name == "once");
    assert_eq!(once.count(), 1);
    world.finish();
}

#[test]
fn a_user_message_is_never_delayed_by_results_that_were_not_shown() {
    // While results wait to wake the agent, and while an answer waits for its grace time.
    let mut world = acknowledged("once");
    world.settle(first_task(&world));
    assert!(world.turn.is_none(), "the results wait for more");
    world.user();
    assert!(world.turn.is_some(), "the message doesn't");

    world.play(&Move::Call("never"));
    world.play(&Move::Done);
    assert!(world.turn.is_none(), "the answer waits for the result");
    world.user();
    assert!(world.turn.is_some(), "the message doesn't");
    world.finish();
}

#[test]
fn a_message_that_came_during_the_turn_does_not_wait_for_the_turns_results() {
    let mut world = world();
    world.user();
    world.play(&Move::Call("never"));
    world.user();
    world.play(&Move::Done);
    assert!(world.turn.is_some(), "the call goes on in the background");
    world.finish();
}

#[test]
fn the_user_stands_before_the_results_that_came_with_the_message() {
    let mut world = acknowledged("once");
    world.settle(first_task(&world));
    world.user();
    let request = world.requests.last().unwrap();
    let last: Vec<&Message> = request
        .messages
        .iter()
        .rev()
        .take(2)
        .map(|message| &**message)
        .collect();
    assert!(
        matches!(last[..], [Message::Delivery { .. }, Message::User { .. }]),
        "{last:?}"
    );
    world.finish();
}

#[test]
fn after_closed_no_task_of_the_session_runs() {
    let mut world = acknowledged("once");
    world.play(&Move::Close(CloseMode::Cancel));
    let is_closed = |world: &World| matches!(world.journal.last(), Some(Entry::Closed { .. }));
    assert!(!is_closed(&world), "a task runs");
    world.settle(first_task(&world));
    assert!(is_closed(&world));
    let cancelled = world.journal.iter().any(|entry| match entry {
        Entry::Settled { result } => matches!(result.outcome, TaskOutcome::Cancelled(_)),
        _ => false,
    });
    assert!(cancelled, "the task was told to stop");
    world.finish();
}

#[test]
fn a_result_that_waits_wakes_no_model_once_the_session_closes() {
    let mut world = world();
    world.user();
    world.play(&Move::Call("always"));
    world.play(&Move::Call("always"));
    world.play(&Move::Done);
    world.play(&Move::Done);
    let asked = world.requests.len();
    world.settle(first_task(&world));
    world.play(&Move::Close(CloseMode::Cancel));
    world.fire();
    assert_eq!(world.requests.len(), asked, "no turn starts while the session closes");
    world.settle(first_task(&world));
    assert!(matches!(world.journal.last(), Some(Entry::Closed { .. })));
    world.finish();
}

#[test]
fn the_fold_of_the_journal_is_the_live_machine_at_every_entry() {
    let mut world = acknowledged("once");
    world.settle(first_task(&world));
    world.fire();
    world.play(&Move::Text);
    world.play(&Move::Done);
    // The world compares after every step; a journal that went through text must give the same ledger.
    let text = serde_json::to_string(&world.journal).unwrap();
    let read: Vec<Entry> = serde_json::from_str(&text).unwrap();
    assert_eq!(Ledger::fold(&read).as_ref(), Ok(world.machine.ledger()));
    for length in 0..=read.len() {
        assert!(
            Ledger::fold(&read[..length]).is_ok(),
            "every prefix is a session that could be resumed"
        );
    }
    world.finish();
}

#[test]
fn a_turn_that_failed_in_passing_is_asked_again_after_at_least_half_of_a_growing_backoff() {
    let mut world = world();
    let mut sums = [0, 0];
    for _ in 0..200 {
        world.user();
        for (try_no, longest) in [500, 1_000].into_iter().enumerate() {
            let before = world.now;
            world.turn_event(TurnEvent::Failed(ModelError::transient("overloaded")));
            world.fire();
            let pause = world.now.since(before).as_millis();
            assert!((longest / 2..=longest).contains(&pause), "{pause} ms");
            sums[try_no] += pause;
        }
        world.play(&Move::Done);
    }
    // Drawn evenly: the mean of 200 is near the middle of the upper half.
    let means = sums.map(|sum| sum / 200);
    assert!(
        (350..400).contains(&means[0]) && (700..800).contains(&means[1]),
        "{means:?}"
    );
    world.user();
    for _ in 0..2 {
        world.turn_event(TurnEvent::Failed(ModelError::transient("overloaded")));
        world.fire();
    }
    world.turn_event(TurnEvent::Failed(ModelError::transient("overloaded")));
    assert!(
        world.machine.stalled().is_some(),
        "and then given up, until something new comes"
    );
    world.finish();
}

#[test]
fn parts_of_a_turn_that_is_over_do_nothing() {
    let mut world = world();
    world.user();
    let (turn, _) = world.turn.unwrap();
    world.play(&Move::Done);
    let before = world.journal.clone();
    let late = TurnEvent::Done(TurnEnd::new(StopReason::EndTurn));
    world.give(AgentInput::Turn(turn, late));
    assert_eq!(world.journal, before);
    world.finish();
}

#[test]
fn a_result_that_can_not_wait_does_not_hurry_a_turn_that_failed() {
    let mut world = acknowledged("urgent");
    world.user();
    world.play(&Move::FailInPassing);
    let asked = world.requests.len();
    world.settle(first_task(&world));
    assert_eq!(
        world.requests.len(),
        asked,
        "the provider said when it wants to be asked"
    );
    world.fire();
    assert_eq!(world.requests.len(), asked + 1);
    assert_eq!(deliveries(&world), 1, "the result goes with it");
    world.finish();
}

#[test]
fn a_turn_is_broken_off_only_for_a_result_that_waits() {
    let mut world = acknowledged("urgent");
    world.user();
    let (turn, _) = world.turn.unwrap();
    let task = world.running[&first_task(&world)].number.unwrap();
    let entry = Entry::TurnInterrupted {
        turn,
        text: String::new(),
        calls: Vec::new(),
        cause: InterruptCause::Result { task },
        cuts: 0,
        at: world.now,
    };
    let mut ledger = Ledger::fold(&world.journal).unwrap();
    let error = ledger.apply(&entry).unwrap_err();
    assert_eq!(error.rule(), "only an undelivered result interrupts a turn");
    world.finish();
}
