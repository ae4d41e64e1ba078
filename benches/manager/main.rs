//! Cost of a dispatch: `cargo bench -p async-tool-benches --bench manager`.
//!
//! Every figure has a `floor`: the least work of any runner of background tools. The floor parses the arguments, spawns a tokio task in a
//! span, logs its end, and sends the outcome through a channel. It has no schema, registry, journal, deadline or cancellation.
//! A budget is a multiple of the floor *of the same run*, so that it holds on any machine. Absolute numbers of two machines, or of two
//! runs, can't be compared.
//!
//! | group | measures | budget |
//! |---|---|---|
//! | `submit_to_ack` | time of the caller until its call is acknowledged | at most 3 × floor; with a subscriber 1.5 × |
//! | `outcome_observed` | no-op tasks per second, each outcome awaited | at least 0.4 × floor; with a subscriber 0.6 × |
//! | `memory` | bytes of a task that waits for a slot, and of a task that runs | at most 1.5 KB |
//! | `crowd` | 10,000 sessions with 10 tasks each in one process | every outcome in its session |

mod crowd;
mod dispatch;
mod floor;
mod memory;
#[path = "../shared/process.rs"]
mod process;
mod tool;
mod turns;

fn main() {
    if let Some(row) = process::asked_for() {
        return memory::measure_row(&row);
    }
    // `cargo test --benches` checks only that the bench starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    turns::measure();
    memory::measure();
    crowd::measure();
}
