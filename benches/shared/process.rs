//! A process for each row of a table.
//!
//! In one process, a row could reuse the memory that the previous row has freed, and would seem to need none.

use std::{env, process::Command};

const ROW: &str = "ASYNC_TOOL_BENCH_ROW";

/// Row that this process is to measure; `None` in the process that starts the others.
pub(crate) fn asked_for() -> Option<String> {
    env::var(ROW).ok()
}

/// Measures a row in a new process, which prints it.
pub(crate) fn measure(row: &str) {
    let program = env::current_exe().expect("the bench has a file");
    let status = Command::new(program).env(ROW, row).status();
    let status = status.expect("the bench can be started again");
    if !status.success() {
        println!("  {row:<28}failed: {status}");
    }
}
