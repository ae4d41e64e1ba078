//! Dispatches on the floor and through a manager.

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

/// Number of tasks in flight before the clock stops and their outcomes are collected.
///
/// It is large enough that the two clock readings are negligible (some 50 ns for 64 dispatches). It is small enough that the tasks stay
/// in the cache: with thousands in flight, the figure would be that of the allocator.
pub(crate) const IN_FLIGHT: u64 = 64;

/// Runtime with one thread. With several, a worker could steal the task while the caller still dispatches. A dispatch takes less than a
/// microsecond, so the noise of the scheduler would hide it.
pub(crate) fn one_thread() -> Runtime {
    let runtime = Builder::new_current_thread().build();
    runtime.expect("a runtime without drivers needs nothing from the system")
}

pub(crate) fn all_threads() -> Runtime {
    Runtime::new().expect("the system has threads to give")
}

/// Time of the caller alone, on the floor. The tasks run and are collected while the clock is stopped.
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

/// Time of the caller until its calls are acknowledged. The calls are made before the clock starts, because in an agent they come from the
/// model's stream.
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

/// Sum of the times that `run` returns, for batches of at most [`IN_FLIGHT`] dispatches.
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

/// Time from the text of the arguments to the outcomes, on the floor, with [`IN_FLIGHT`] tasks at a time.
///
/// The caller is a tokio task, as an agent is. A thread outside the pool would pass every task through the pool's shared queue, which
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

/// Time from the text of the arguments to the outcomes, through a manager.
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
