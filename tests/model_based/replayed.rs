//! What random worlds wrote down, played against the machine again.

use async_tool_runtime::{Entry, TaskNo, TurnNo};

use super::{
    exploration::{Random, random_world},
    sim::World,
};

fn world(seed: u64) -> World {
    random_world(seed, &mut Random::new(seed), None)
}

#[test]
fn a_journal_of_a_random_world_is_written_again_to_the_letter() {
    let (mut entries, mut turns, mut restarts, mut cuts) = (0, 0, 0, 0);
    for seed in 1..=2_000 {
        let world = world(seed);
        match world.replay().check(&world.journal) {
            Ok(replayed) => {
                assert_eq!(replayed.entries(), world.journal.len());
                entries += replayed.entries();
                turns += replayed.turns();
                restarts += replayed.restarts();
                cuts += replayed.cuts();
            }
            Err(divergence) => panic!("seed {seed}: {divergence}"),
        }
    }
    println!("{entries} entries, {turns} turns, {restarts} restarts, {cuts} turns with cuts");
    // What never happens is not proved.
    assert!(restarts > 100 && cuts > 100);
}

/// The same entry with something else in one place that the machine decides.
fn mutants(entry: &Entry) -> Vec<Entry> {
    let other_turn = |turn: TurnNo| TurnNo::new(turn.as_u32() + 1);
    let other = |number: TaskNo| TaskNo::new(number.as_u32() + 1);
    let mut mutants = Vec::new();
    let mut mutate = |change: &dyn Fn(&mut Entry) -> bool| {
        let mut mutant = entry.clone();
        if change(&mut mutant) {
            mutants.push(mutant);
        }
    };
    mutate(&|entry| match entry {
        Entry::TurnStarted { turn, .. }
        | Entry::Accepted { turn, .. }
        | Entry::TurnEnded { turn, .. }
        | Entry::TurnInterrupted { turn, .. }
        | Entry::TurnFailed { turn, .. }
        | Entry::Answered { turn, .. } => {
            *turn = other_turn(*turn);
            true
        }
        _ => false,
    });
    mutate(&|entry| match entry {
        Entry::Accepted { number, .. } => {
            *number = other(*number);
            true
        }
        Entry::TurnInterrupted { by, .. } => {
            *by = other(*by);
            true
        }
        Entry::Resubmitted { attempt, .. } => {
            *attempt += 1;
            true
        }
        _ => false,
    });
    mutate(&|entry| match entry {
        Entry::Accepted { own, .. } => {
            *own = !*own;
            true
        }
        Entry::TurnEnded { calls, .. } | Entry::TurnInterrupted { calls, .. } => calls.pop().is_some(),
        Entry::Answered { answers, .. } => answers.pop().is_some(),
        Entry::Delivered { tasks, .. }
        | Entry::Replaced { tasks, .. }
        | Entry::Dropped { tasks, .. }
        | Entry::Detached { tasks, .. } => tasks.pop().is_some(),
        _ => false,
    });
    mutate(&|entry| match entry {
        Entry::Delivered { text, .. } => {
            text.push(' ');
            true
        }
        Entry::Dropped { reason, .. } => {
            reason.push('.');
            true
        }
        Entry::Pruned { pruned, .. } => {
            pruned.collapsed += 1;
            true
        }
        _ => false,
    });
    mutate(&|entry| match entry {
        Entry::Pruned { pruned, .. } => {
            pruned.status.push('.');
            true
        }
        Entry::Delivered { tasks, .. } | Entry::Replaced { tasks, .. } => {
            tasks.reverse();
            tasks.len() > 1
        }
        _ => false,
    });
    mutants
}

#[test]
fn whatever_the_machine_decides_is_found_when_it_is_changed() {
    let mut changed = 0;
    for seed in 1..=10 {
        let world = world(seed);
        let replay = world.replay();
        for (place, entry) in world.journal.iter().enumerate() {
            for mutant in mutants(entry) {
                let mut journal = world.journal.clone();
                journal[place] = mutant.clone();
                let found = replay.check(&journal);
                let found = found.expect_err(&format!("seed {seed}: {mutant:?} instead of {entry:?}"));
                // Numbers that are read ahead can't be played even before they come.
                assert!(found.seq().as_u64() <= place as u64 + 1, "seed {seed}: {found}");
                changed += 1;
            }
        }
    }
    println!("{changed} changes were found");
    assert!(changed > 150);
}

#[test]
fn entries_that_are_left_out_doubled_or_moved_are_found_unless_they_are_another_story() {
    let (mut mutants, mut found) = (0, 0);
    for seed in 1..=10 {
        let world = world(seed);
        let replay = world.replay();
        for place in 0..world.journal.len().saturating_sub(1) {
            let mut without = world.journal.clone();
            without.remove(place);
            let mut twice = world.journal.clone();
            twice.insert(place, world.journal[place].clone());
            let mut moved = world.journal.clone();
            moved.swap(place, place + 1);
            for mutant in [without, twice, moved] {
                mutants += 1;
                found += usize::from(replay.check(&mutant).is_err());
            }
        }
    }
    println!("{found} of {mutants} were found");
    // A message less, or two results the other way round, is what could have happened as well.
    assert!(found * 10 > mutants * 7, "{found} of {mutants}");
}
