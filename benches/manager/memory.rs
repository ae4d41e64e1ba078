//! What a task weighs.

use std::sync::Arc;

use async_tool_runtime::SessionId;
use memory_stats::memory_stats;
use tokio::{runtime::Builder, sync::Semaphore};

use crate::{
    floor::floor_after,
    process,
    tool::{ARGUMENTS, Gate, call, manager_of_gated},
};

/// Enough that the pages a process keeps for itself vanish in the quotient.
const TASKS: usize = 200_000;

const ROWS: [&str; 3] = ["floor", "waiting", "working"];

/// Prints the bytes of a task that waits for its slot and of one that is at work, beside the floor: the resident memory of the process with
/// many of them, less that before.
pub(crate) fn measure() {
    println!(
        "memory                    {TASKS} tasks; floor: a tokio task that waits, and a channel (budget 1,536 bytes)"
    );
    ROWS.into_iter().for_each(process::measure);
}

/// Prints this row.
pub(crate) fn measure_row(row: &str) {
    let bytes = match row {
        "waiting" => tasks(1),
        "working" => tasks(TASKS),
        _ => floor(),
    };
    println!("  {row:<24}{bytes} bytes a task");
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

/// How much memory a task takes of those that `begin` starts, once each has come as far as it can.
fn bytes<T>(begin: impl FnOnce() -> (T, Arc<Semaphore>)) -> String {
    let runtime = Builder::new_current_thread()
        .build()
        .expect("a runtime without drivers needs nothing from the system");
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
