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

use std::hint::black_box;
use std::time::{Duration, Instant};

use async_tool_runtime::{AsyncToolManager, SessionId, TaskHandle, TaskSpec, ToolCall, async_tool, tools};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::Deserialize;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

criterion_group!(manager, submit_to_ack, outcome_observed);
criterion_main!(manager);

/// How many tasks are in flight before the clock stops and their outcomes are collected.
///
/// Enough to make the two clock readings vanish (some 50 ns in 64 dispatches), few enough that the tasks stay in the
/// cache: with thousands in flight the allocator is measured instead.
const IN_FLIGHT: u64 = 64;

/// The time of the caller alone; the tasks run and are collected while the clock stands still.
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
    group.bench_function("manager", |b| {
        b.to_async(&runtime).iter_custom(|dispatches| async move {
            let session = SessionId::new("bench");
            let mut elapsed = Duration::ZERO;
            let mut left = dispatches;
            let mut pending = Vec::with_capacity(IN_FLIGHT as usize);
            while left > 0 {
                let batch = left.min(IN_FLIGHT);
                left -= batch;
                let start = Instant::now();
                for _ in 0..batch {
                    pending.push(dispatch(manager, &session, black_box(ARGUMENTS)));
                }
                elapsed += start.elapsed();
                for task in pending.drain(..) {
                    black_box(task.outcome().await);
                }
            }
            elapsed
        });
    });
    group.finish();
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

/// A call as a model writes it: a sentence and a number.
const ARGUMENTS: &str = r#"{"topic":"the migration of the arctic tern","sources":5}"#;

/// What the tool of these benches takes; the shape the macro makes of `fn(topic: String, sources: u32)`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    topic: String,
    sources: u32,
}

/// Parse, spawn, channel, and nothing else.
fn floor(arguments: &str) -> oneshot::Receiver<usize> {
    let arguments: Arguments = serde_json::from_str(arguments).expect("the constant above fits the struct above");
    let (sender, receiver) = oneshot::channel();
    tokio::spawn(async move {
        // The receiver is only gone when the bench itself has failed.
        let _ = sender.send(no_op(arguments));
    });
    receiver
}

/// Uses both arguments, so that neither the parser nor the compiler can leave one out.
fn no_op(Arguments { topic, sources }: Arguments) -> usize {
    topic.len() + sources as usize
}

/// Uses both arguments.
#[async_tool(name = "no_op")]
async fn no_op_tool(topic: String, sources: u32) -> usize {
    no_op(Arguments { topic, sources })
}

fn manager_of_no_op() -> AsyncToolManager {
    AsyncToolManager::builder()
        .tools(tools![no_op_tool])
        .concurrency(1024)
        .build()
        .expect("one tool is no clash")
}

/// What the floor does, through the manager: the arguments come as text, and the caller goes on with a handle.
fn dispatch(manager: &AsyncToolManager, session: &SessionId, arguments: &str) -> TaskHandle {
    let arguments: serde_json::Value = serde_json::from_str(arguments).expect("the constant above is JSON");
    let call = ToolCall::new("call_1", "no_op", arguments);
    manager
        .submit_task(TaskSpec::new(session.clone(), call))
        .expect("there is room")
}
