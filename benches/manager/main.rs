//! Cost of a dispatch: `cargo bench -p async-tool-benches --bench manager`.
//!
//! Every figure has a `floor`: the least that any runner of background tools must do. It parses the arguments, spawns a
//! tokio task in a span and sends the outcome through a channel; there is no schema, registry, journal, deadline or cancellation.
//! A budget is a multiple of the floor *of the same run*, so that it holds on any machine; absolute numbers from two
//! machines, or two runs, cannot be compared.
//!
//! | group | measures | budget |
//! |---|---|---|
//! | `submit_to_ack` | the caller's time until it may go on | at most 3 × floor; with a subscriber 1.5 × |
//! | `outcome_observed` | no-op tasks per second, each outcome awaited | at least 0.4 × floor; with a subscriber 0.6 × |
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

fn main() {
    if let Some(row) = process::asked_for() {
        return memory::measure_row(&row);
    }
    // `cargo test --benches` asks only whether it starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    turns::measure();
    memory::measure();
    crowd::measure();
}
