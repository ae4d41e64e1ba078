//! Floor and manager in alternation.
//!
//! They alternate every few milliseconds. The speed of a shared machine changes over tenths of a second, so both run at the same speed.

use std::time::Duration;

use crate::{
    dispatch::{IN_FLIGHT, acknowledged, all_threads, dispatched_on_floor, observed, observed_on_floor, one_thread},
    tool::manager_of_no_op,
};

const TURNS: usize = 200;

/// Number of tasks of each in a turn.
const TASKS: u64 = 100 * IN_FLIGHT;

/// Prints both figures without a subscriber, and again with one that formats every span at `INFO`.
///
/// The subscriber stays for the rest of the process.
pub(crate) fn measure() {
    println!("turns                     floor and manager alternate: median and middle half of {TURNS} turns");
    println!("  without a subscriber");
    measure_both("at most 3", "at least 0.4");
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_writer(std::io::sink);
    subscriber.init();
    println!("  with `tracing_subscriber::fmt` at INFO, into a sink");
    measure_both("at most 1.5", "at least 0.6");
}

/// Prints the manager's time to an acknowledgement and its tasks per second, as multiples of the floor.
fn measure_both(acknowledgement: &str, throughput: &str) {
    let manager = manager_of_no_op();
    let runtime = one_thread();
    by_turns(
        "submit_to_ack",
        || runtime.block_on(dispatched_on_floor(TASKS)),
        || runtime.block_on(acknowledged(&manager, TASKS)),
        |floor, manager| manager / floor,
        acknowledgement,
    );
    let manager = manager_of_no_op();
    let runtime = all_threads();
    by_turns(
        "outcome_observed",
        || runtime.block_on(observed_on_floor(TASKS / IN_FLIGHT)),
        || runtime.block_on(observed(manager.clone(), TASKS / IN_FLIGHT)),
        |floor, manager| floor / manager,
        throughput,
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
    // One turn that is not measured, so that one-time initialization doesn't count.
    turn();
    let turns: Vec<_> = std::iter::repeat_with(turn).take(TURNS).collect();
    let [low, middle, high] = quartiles(turns.iter().map(|(floor, manager)| figure(*floor, *manager)));
    let [_, floor, _] = quartiles(turns.iter().map(|(floor, _)| *floor));
    let [_, manager, _] = quartiles(turns.iter().map(|(_, manager)| *manager));
    println!(
        "    {name:<22}{middle:.2} of the floor, {low:.2} to {high:.2} (budget: {budget}); a task takes {manager:.0} ns, {:.0} tasks/s; on the floor {floor:.0} ns",
        1e9 / manager,
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
