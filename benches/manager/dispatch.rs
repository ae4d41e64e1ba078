//! What is measured: dispatches on the floor, and through a manager.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use async_tool_runtime::{AsyncToolManager, SessionId};
use tokio::runtime::{Builder, Runtime};

use crate::{
    floor::floor,
    tool::{ARGUMENTS, call_of_no_op, dispatch},
};

/// How many tasks are in flight before the clock stops and their outcomes are collected.
///
/// Enough to make the two clock readings vanish (some 50 ns in 64 dispatches), few enough that the tasks stay in the
/// cache: with thousands in flight the allocator is measured instead.
pub(crate) const IN_FLIGHT: u64 = 64;

/// One thread, because a worker that steals the task while the caller still dispatches adds the noise of the scheduler to a path that
/// takes less than a microsecond.
pub(crate) fn one_thread() -> Runtime {
    let runtime = Builder::new_current_thread().build();
    runtime.expect("a runtime without drivers needs nothing from the system")
}

pub(crate) fn all_threads() -> Runtime {
    Runtime::new().expect("the system has threads to give")
}

/// The time of the caller alone; the tasks run and are collected while the clock stands still.
pub(crate) async fn dispatched_on_floor(dispatches: u64) -> Duration {
    let mut pending = Vec::with_capacity(IN_FLIGHT as usize);
    in_batches(dispatches, async |batch| {
        let start = Instant::now();
        for _ in 0..batch {
            pending.push(floor(black_box(ARGUMENTS)));
        }
        let elapsed = start.elapsed();
        for outcome in pending.drain(..) {
            black_box(outcome.await.expect("the task sends before it ends"));
        }
        elapsed
    })
    .await
}

/// The same until calls are acknowledged. The calls are made before the clock starts: they come from the reader of a model's stream.
pub(crate) async fn acknowledged(manager: &AsyncToolManager, dispatches: u64) -> Duration {
    let session = SessionId::new("bench");
    let mut pending = Vec::with_capacity(IN_FLIGHT as usize);
    in_batches(dispatches, async |batch| {
        let calls: Vec<_> = (0..batch).map(|_| call_of_no_op(black_box(ARGUMENTS))).collect();
        let start = Instant::now();
        for call in calls {
            let task = manager.submit(&session, call).expect("there is room");
            black_box(task.ack());
            pending.push(task);
        }
        let elapsed = start.elapsed();
        for task in pending.drain(..) {
            black_box(task.outcome().await);
        }
        elapsed
    })
    .await
}

/// The sum of what `run` measures, with at most [`IN_FLIGHT`] dispatches at a time.
async fn in_batches(dispatches: u64, mut run: impl AsyncFnMut(u64) -> Duration) -> Duration {
    let mut elapsed = Duration::ZERO;
    let mut left = dispatches;
    while left > 0 {
        let batch = left.min(IN_FLIGHT);
        left -= batch;
        elapsed += run(batch).await;
    }
    elapsed
}

/// The whole way, from the arguments' text to the outcome in the caller's hand, of [`IN_FLIGHT`] tasks at a time.
///
/// The caller is a tokio task, as an agent is: a thread outside the pool would hand every task over through the pool's shared queue, which
/// costs more than the dispatch.
pub(crate) async fn observed_on_floor(rounds: u64) -> Duration {
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
}

/// The same through a manager.
pub(crate) async fn observed(manager: AsyncToolManager, rounds: u64) -> Duration {
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
