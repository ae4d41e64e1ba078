//! Memory of a task.

use std::sync::Arc;

use async_tool_runtime::SessionId;
use memory_stats::memory_stats;
use tokio::{runtime::Builder, sync::Semaphore};

use crate::{
    floor::floor_after,
    process,
    tool::{ARGUMENTS, Gate, call, manager_of_gated},
};

/// Number of tasks, so large that the process's own pages are negligible in the average.
const TASKS: usize = 200_000;

const ROWS: [&str; 3] = ["floor", "waiting", "working"];

/// Prints the bytes of a task that waits for a slot, of a task that runs, and of the floor.
///
/// The figure is the growth of the process's resident memory, divided by the number of tasks.
pub(crate) fn measure() {
    println!(
        "memory                    {TASKS} tasks; floor: a tokio task that waits, and a channel (budget: 1,536 bytes)"
    );
    ROWS.into_iter().for_each(process::measure);
}

/// Measures and prints this row.
pub(crate) fn measure_row(row: &str) {
    let bytes = match row {
        "waiting" => tasks(1),
        "working" => tasks(TASKS),
        _ => floor(),
    };
    println!("  {row:<24}{bytes} bytes per task");
}

fn floor() -> String {
    bytes(|| {
        let gate = Arc::new(Semaphore::new(0));
        let pending: Vec<_> = (0..TASKS)
            .map(|_| {
                let gate = Gate(Arc::clone(&gate));
                floor_after(ARGUMENTS, async move { gate.passed().await })
            })
            .collect();
        (pending, gate)
    })
}

fn tasks(concurrency: usize) -> String {
    bytes(move || {
        let gate = Arc::new(Semaphore::new(0));
        let manager = manager_of_gated(&gate, concurrency);
        let session = SessionId::new("bench");
        let pending: Vec<_> = (0..TASKS)
            .map(|_| call(&manager, &session, "gated", ARGUMENTS))
            .collect();
        ((pending, manager), gate)
    })
}

/// Bytes of memory for each task that `begin` starts, after all have run until they wait.
fn bytes<T>(begin: impl FnOnce() -> (T, Arc<Semaphore>)) -> String {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime with timers alone needs nothing from the system");
    runtime.block_on(async {
        let before = memory_stats().map(|stats| stats.physical_mem);
        let (pending, gate) = begin();
        for _ in 0..TASKS / 16 {
            tokio::task::yield_now().await;
        }
        let after = memory_stats().map(|stats| stats.physical_mem);
        gate.close();
        drop(pending);
        match (before, after) {
            (Some(before), Some(after)) => (after.saturating_sub(before) / TASKS).to_string(),
            _ => "unknown".to_owned(),
        }
    })
}
