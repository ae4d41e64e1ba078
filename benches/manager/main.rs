//! What a dispatch costs: `cargo bench -p async-tool-benches`.
//!
//! Every group has a `floor`: the least that any runner of background tools must do. It parses the arguments, spawns a
//! tokio task and sends the outcome through a channel; there is no schema, registry, journal, deadline or cancellation.
//! A budget is a multiple of the floor *of the same run*, so that it holds on any machine; absolute numbers from two
//! machines, or two runs, cannot be compared.
//!
//! | group | measures | budget |
//! |---|---|---|
//! | `submit_to_ack` | the caller's time until it may go on | at most 2 × floor |
//! | `outcome_observed` | no-op tasks per second, each outcome awaited | at least 0.5 × floor |
//! | `memory` | bytes of a task that waits, and of one that is at work | at most 1.5 KB |
//! | `crowd` | 10,000 sessions with 10 tasks each in one process | every outcome in its session |

mod crowd;
mod floor;
mod memory;
#[path = "../shared/process.rs"]
mod process;
mod tool;

use std::hint::black_box;
use std::time::{Duration, Instant};

use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall};
use criterion::{Criterion, Throughput, criterion_group};
use tokio::runtime::{Builder, Runtime};

use floor::floor;
use tool::{ARGUMENTS, call_of_no_op, dispatch, manager_of_no_op};

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
    memory::measure();
    crowd::measure();
}

/// How many tasks are in flight before the clock stops and their outcomes are collected.
///
/// Enough to make the two clock readings vanish (some 50 ns in 64 dispatches), few enough that the tasks stay in the
/// cache: with thousands in flight the allocator is measured instead.
const IN_FLIGHT: u64 = 64;

/// The time of the caller alone; the tasks run and are collected while the clock stands still.
///
/// A call comes from whoever reads what the model says, with its id, its name and the text of its arguments; `manager` takes it as it comes and
/// parses the text, as the floor does. `manager_with_call` makes it too, of borrowed text: three names and texts to be copied, for which the floor
/// has no equal.
///
/// On one thread, because a worker that steals the task while the caller still dispatches adds the noise of the
/// scheduler to a path that takes less than a microsecond.
fn submit_to_ack(c: &mut Criterion) {
    let runtime = Builder::new_current_thread()
        .build()
        .expect("a runtime without drivers needs nothing from the system");
    let mut group = c.benchmark_group("submit_to_ack");
    group.throughput(Throughput::Elements(1));
    group.bench_function("floor", |b| {
        b.to_async(&runtime).iter_custom(|dispatches| async move {
            let mut elapsed = Duration::ZERO;
            let mut left = dispatches;
            let mut pending = Vec::with_capacity(IN_FLIGHT as usize);
            while left > 0 {
                let batch = left.min(IN_FLIGHT);
                left -= batch;
                let start = Instant::now();
                for _ in 0..batch {
                    pending.push(floor(black_box(ARGUMENTS)));
                }
                elapsed += start.elapsed();
                for outcome in pending.drain(..) {
                    black_box(outcome.await.expect("the task sends before it ends"));
                }
            }
            elapsed
        });
    });
    let manager = manager_of_no_op();
    let manager = &manager;
    let calls = |batch| (0..batch).map(|_| call_of_no_op(black_box(ARGUMENTS)));
    group.bench_function("manager", |b| {
        b.to_async(&runtime)
            .iter_custom(|dispatches| acknowledged(manager, dispatches, move |batch| calls(batch).collect::<Vec<_>>()));
    });
    group.bench_function("manager_with_call", |b| {
        b.to_async(&runtime)
            .iter_custom(|dispatches| acknowledged(manager, dispatches, calls));
    });
    group.finish();
}

/// The time it takes until calls are acknowledged. What `calls` gives is made before the clock starts if it is a list, and while it goes if
/// it is an iterator that makes one at a time.
async fn acknowledged<C: IntoIterator<Item = ToolCall>>(
    manager: &AsyncToolManager,
    dispatches: u64,
    calls: impl Fn(u64) -> C,
) -> Duration {
    let session = SessionId::new("bench");
    let mut elapsed = Duration::ZERO;
    let mut left = dispatches;
    let mut pending = Vec::with_capacity(IN_FLIGHT as usize);
    while left > 0 {
        let batch = left.min(IN_FLIGHT);
        left -= batch;
        let calls = calls(batch);
        let start = Instant::now();
        for call in calls {
            pending.push(manager.submit(&session, call).expect("there is room"));
        }
        elapsed += start.elapsed();
        for ack in pending.drain(..) {
            let task = manager.task(ack.task).expect("the last thousand are remembered");
            black_box(task.outcome().await);
        }
    }
    elapsed
}

/// The whole way, on all threads: from the arguments' text to the outcome in the caller's hand.
///
/// The caller is a tokio task, as an agent is: a thread outside the pool would hand every task over through the
/// pool's shared queue, which costs more than the dispatch.
fn outcome_observed(c: &mut Criterion) {
    let runtime = Runtime::new().expect("the system has threads to give");
    let mut group = c.benchmark_group("outcome_observed");
    group.throughput(Throughput::Elements(IN_FLIGHT));
    group.bench_function("floor", |b| {
        b.to_async(&runtime).iter_custom(|rounds| async move {
            let caller = tokio::spawn(async move {
                let start = Instant::now();
                for _ in 0..rounds {
                    let pending: Vec<_> = (0..IN_FLIGHT).map(|_| floor(black_box(ARGUMENTS))).collect();
                    for outcome in pending {
                        black_box(outcome.await.expect("the task sends before it ends"));
                    }
                }
                start.elapsed()
            });
            caller.await.expect("the floor does not panic")
        });
    });
    let manager = manager_of_no_op();
    group.bench_function("manager", |b| {
        b.to_async(&runtime).iter_custom(|rounds| {
            let manager = manager.clone();
            async move {
                let caller = tokio::spawn(async move {
                    let session = SessionId::new("bench");
                    let start = Instant::now();
                    for _ in 0..rounds {
                        let pending: Vec<_> = (0..IN_FLIGHT)
                            .map(|_| dispatch(&manager, &session, black_box(ARGUMENTS)))
                            .collect();
                        for task in pending {
                            black_box(task.outcome().await);
                        }
                    }
                    start.elapsed()
                });
                caller.await.expect("the manager does not panic")
            }
        });
    });
    group.finish();
}
