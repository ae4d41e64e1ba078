//! Floor and manager by turns.
//!
//! Criterion measures one and then the other, for seconds. Meanwhile a machine that others use as well may become another one: the same
//! program takes up to three times as long there for some tenths of a second. In turns of milliseconds, both have the same machine.

use std::time::Duration;

use crate::{
    dispatch::{
        IN_FLIGHT, acknowledged, all_threads, calls, dispatched_on_floor, observed, observed_on_floor, one_thread,
    },
    tool::manager_of_no_op,
};

const TURNS: usize = 500;

/// How many tasks each has in a turn.
const TASKS: u64 = 100 * IN_FLIGHT;

/// Prints how much longer than the floor the manager takes to acknowledge a call, and how many outcomes of its tasks are observed for each of
/// the floor's.
pub(crate) fn measure() {
    println!(
        "turns                     floor and manager by turns: median of {TURNS} turns, and the middle half of them"
    );
    let manager = manager_of_no_op();
    let runtime = one_thread();
    by_turns(
        "submit_to_ack",
        || runtime.block_on(dispatched_on_floor(TASKS)),
        || runtime.block_on(acknowledged(&manager, TASKS, |batch| calls(batch).collect::<Vec<_>>())),
        |floor, manager| manager / floor,
        "at most 2",
    );
    let manager = manager_of_no_op();
    let runtime = all_threads();
    by_turns(
        "outcome_observed",
        || runtime.block_on(observed_on_floor(TASKS / IN_FLIGHT)),
        || runtime.block_on(observed(manager.clone(), TASKS / IN_FLIGHT)),
        |floor, manager| floor / manager,
        "at least 0.5",
    );
}

fn by_turns(
    name: &str,
    floor: impl Fn() -> Duration,
    manager: impl Fn() -> Duration,
    figure: impl Fn(f64, f64) -> f64,
    budget: &str,
) {
    let turn = || (of_one(floor()), of_one(manager()));
    // What is made once is made now.
    turn();
    let turns: Vec<_> = std::iter::repeat_with(turn).take(TURNS).collect();
    let [low, middle, high] = quartiles(turns.iter().map(|(floor, manager)| figure(*floor, *manager)));
    let [_, floor, _] = quartiles(turns.iter().map(|(floor, _)| *floor));
    let [_, manager, _] = quartiles(turns.iter().map(|(_, manager)| *manager));
    println!(
        "  {name:<24}{middle:.2} of the floor, {low:.2} to {high:.2} (budget: {budget}); a task takes {manager:.0} ns, and on the floor {floor:.0} ns"
    );
}

fn of_one(turn: Duration) -> f64 {
    turn.as_nanos() as f64 / TASKS as f64
}

fn quartiles(figures: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| figures[figures.len() * quarter / 4])
}
