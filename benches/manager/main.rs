//! What a dispatch costs: `cargo bench -p async-tool-benches`.
//!
//! Every group has a `floor`: the least that any runner of background tools must do. It parses the arguments, spawns a
//! tokio task and sends the outcome through a channel; there is no schema, registry, journal, deadline or cancellation.
//! A budget is a multiple of the floor *of the same run*, so that it holds on any machine; absolute numbers from two
//! machines, or two runs, cannot be compared. Criterion's rows show how a figure spreads and what has changed since the last run; whether it is
//! within its budget is for `turns` to say.
//!
//! | group | measures | budget |
//! |---|---|---|
//! | `submit_to_ack` | the caller's time until it may go on | at most 2 × floor |
//! | `outcome_observed` | no-op tasks per second, each outcome awaited | at least 0.5 × floor |
//! | `turns` | both, floor and manager by turns | as above |
//! | `memory` | bytes of a task that waits, and of one that is at work | at most 1.5 KB |
//! | `crowd` | 10,000 sessions with 10 tasks each in one process | every outcome in its session |

mod crowd;
mod dispatch;
mod floor;
mod memory;
#[path = "../shared/process.rs"]
mod process;
mod tool;
mod turns;

use criterion::{Criterion, Throughput, criterion_group};

use dispatch::{
    IN_FLIGHT, acknowledged, all_threads, calls, dispatched_on_floor, observed, observed_on_floor, one_thread,
};
use tool::manager_of_no_op;

criterion_group!(manager, submit_to_ack, outcome_observed);

fn main() {
    if let Some(row) = process::asked_for() {
        return memory::measure_row(&row);
    }
    manager();
    Criterion::default().configure_from_args().final_summary();
    // `cargo test --benches` asks only whether it starts; with a filter, only what was asked for is measured.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    turns::measure();
    memory::measure();
    crowd::measure();
}

/// A call comes from whoever reads what the model says, with its id, its name and the text of its arguments; `manager` takes it as it comes and
/// parses the text, as the floor does. `manager_with_call` makes it too, of borrowed text: three names and texts to be copied, for which the floor
/// has no equal.
fn submit_to_ack(c: &mut Criterion) {
    let runtime = one_thread();
    let manager = manager_of_no_op();
    let mut group = c.benchmark_group("submit_to_ack");
    group.throughput(Throughput::Elements(1));
    group.bench_function("floor", |b| b.to_async(&runtime).iter_custom(dispatched_on_floor));
    group.bench_function("manager", |b| {
        b.to_async(&runtime)
            .iter_custom(|dispatches| acknowledged(&manager, dispatches, |batch| calls(batch).collect::<Vec<_>>()));
    });
    group.bench_function("manager_with_call", |b| {
        b.to_async(&runtime)
            .iter_custom(|dispatches| acknowledged(&manager, dispatches, calls));
    });
    group.finish();
}

fn outcome_observed(c: &mut Criterion) {
    let runtime = all_threads();
    let manager = manager_of_no_op();
    let mut group = c.benchmark_group("outcome_observed");
    group.throughput(Throughput::Elements(IN_FLIGHT));
    group.bench_function("floor", |b| b.to_async(&runtime).iter_custom(observed_on_floor));
    group.bench_function("manager", |b| {
        b.to_async(&runtime)
            .iter_custom(|rounds| observed(manager.clone(), rounds));
    });
    group.finish();
}
