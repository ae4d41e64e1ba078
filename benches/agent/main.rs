//! Cost of a session: `cargo bench -p async-tool-benches --bench agent`.
//!
//! The bench asserts nothing. Compare a figure with its floor, which is measured in the same run: the ratio means the same on any machine.
//!
//! | table | measures | floor | budget |
//! |---|---|---|---|
//! | `step` | time of a step of the machine, by kind of input, in a short session and in a session of 5,000 messages | the input is cloned into a list | at most 2 µs |
//! | `journal` | time of an entry in the memory journal | the entries are cloned into a list | at most 1 µs |
//! | `idle` | bytes of an idle session | a tokio task that waits for a channel | at most 10 KB |
//! | `registry` | bytes of a session in a registry: live, read by a client, left | | |
//! | `crowd` | 10,000 sessions with 10 tasks each in one process | a tokio task and a channel for each session | every result once, in its session |

mod crowd;
mod floor;
mod idle;
mod journal;
#[path = "../shared/process.rs"]
mod process;
mod quantile;
mod registry;
mod session;
mod step;

fn main() {
    // `cargo test --benches` checks only that the bench starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    if let Some(row) = process::asked_for() {
        if !idle::measure_row(&row) && !registry::measure_row(&row) {
            crowd::measure_row(&row);
        }
        return;
    }
    step::measure();
    journal::measure();
    idle::measure();
    registry::measure();
    crowd::measure();
}
