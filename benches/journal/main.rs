//! Cost of a journal on disk: `cargo bench -p async-tool-benches --bench journal`.
//!
//! The bench asserts nothing. Compare a figure with its floor, which is measured in the same run on the same disk. The files are in cargo's
//! target directory; put that directory on the disk to be measured.
//!
//! | table | measures | floor | budget |
//! |---|---|---|---|
//! | `append` | synced entries per second, in one session and in 256 sessions at once | the same number of lines appended to a file with one sync; the same number of rows in one transaction of bare SQLite | 20,000 per second in 256 sessions |
//! | `open` | time to open a file of 10,000 sessions, for each level of checks | bare SQLite | |
//! | `read` | time to read a session of 10,000 entries, unpacked and packed | its rows read with bare SQLite, not parsed | |
//! | `resume` | time to resume an agent in a session of 10,000 entries, from its first entry and from a snapshot | the entries folded | |

mod append;
mod open;
mod read;
mod resume;

use async_tool_runtime::{journal::Entry, task::Timestamp};

fn main() {
    // `cargo test --benches` checks only that the bench starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    append::measure();
    open::measure();
    read::measure();
    resume::measure();
}

/// Creates a directory on the disk that is measured.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory can be written to")
}

/// Entry of a typical size: 200 bytes of JSON.
fn entry(number: u64) -> Entry {
    Entry::UserMessage {
        text: format!(
            "{number:>8}: and what about the arctic tern, {}?",
            "which flies from pole to pole, ".repeat(3)
        ),
        media: Vec::new(),
        traceparent: None,
        at: Timestamp::from_millis(1_700_000_000_000 + number),
    }
}
