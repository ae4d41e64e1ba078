//! What a journal on disk costs: `cargo bench -p async-tool-benches --bench journal`.
//!
//! Nothing is asserted: a figure is read beside its floor, which was measured in the same run on the same disk. The files are in cargo's target directory, so put
//! that on the disk you mean.
//!
//! | table | measures | floor | budget |
//! |---|---|---|---|
//! | `append` | entries per second that are on the disk, in one session and in 256 at once | as many lines appended to a file and synced together; as many rows in one transaction of bare SQLite | 20,000 per second in 256 sessions |
//! | `open` | opening a file of 10,000 sessions, by what is checked | opening it with bare SQLite | |
//! | `read` | reading a session of 10,000 entries, as it was written and packed | its rows read with bare SQLite, and not parsed | |
//! | `resume` | until an agent is at work again in a session of 10,000 entries, from its first entry and from a snapshot | the entries folded | |

mod append;
mod open;
mod read;
mod resume;

use async_tool_runtime::{journal::Entry, task::Timestamp};

fn main() {
    // `cargo test --benches` asks only whether it starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    append::measure();
    open::measure();
    read::measure();
    resume::measure();
}

/// A directory on the disk that is measured.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory can be written to")
}

/// An entry of a usual size, 200 bytes of JSON.
fn entry(number: u64) -> Entry {
    Entry::UserMessage {
        text: format!(
            "{number:>8}: and what about the arctic tern, {}?",
            "which flies from pole to pole, ".repeat(3)
        ),
        at: Timestamp::from_millis(1_700_000_000_000 + number),
    }
}
