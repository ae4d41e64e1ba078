//! A process for each row of a table.
//!
//! The memory that one row has given back to the allocator would be there for the next, which then would seem to need none.

use std::{env, process::Command};

const ROW: &str = "ASYNC_TOOL_BENCH_ROW";

/// The row that this process is to measure.
pub(crate) fn asked_for() -> Option<String> {
    env::var(ROW).ok()
}

/// Measures a row in a process of its own, which prints it.
pub(crate) fn measure(row: &str) {
    let program = env::current_exe().expect("the bench has a file");
    let status = Command::new(program).env(ROW, row).status();
    let status = status.expect("the bench can be started again");
    if !status.success() {
        println!("  {row:<28}failed: {status}");
    }
}
