//! What a session costs: `cargo bench -p async-tool-benches --bench agent`.
//!
//! Nothing is asserted: a figure is read beside its floor, which was measured in the same run, so that it means the same on any machine.
//!
//! | table | measures | floor | budget |
//! |---|---|---|---|
//! | `step` | one input of the machine's, by kind, in a short session and in one of 5,000 messages | the input is cloned into a list | at most 2 µs |
//! | `journal` | one entry of the memory journal's | the entries are cloned into a list | at most 1 µs |
//! | `idle` | bytes of a session that does nothing | a tokio task that waits at a channel | at most 10 KB |
//! | `crowd` | 10,000 sessions with 10 tasks each in one process | a tokio task and a channel for each session | every result once, in its session |

mod crowd;
mod floor;
mod idle;
mod journal;
#[path = "../shared/process.rs"]
mod process;
mod quantile;
mod session;
mod step;

fn main() {
    // `cargo test --benches` asks only whether it starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    if let Some(row) = process::asked_for() {
        return if !idle::measure_row(&row) {
            crowd::measure_row(&row);
        };
    }
    step::measure();
    journal::measure();
    idle::measure();
    crowd::measure();
}
